# Airflow with lfcore's light modules, which its DAGs and plugins import.
FROM python:3.12-slim

ENV AIRFLOW_HOME=/opt/airflow PIP_NO_CACHE_DIR=1

WORKDIR /opt/lfcore
COPY setup.cfg pyproject.toml README.md LICENSE ./
COPY constraints ./constraints
COPY lfcore ./lfcore
COPY localbatch ./localbatch
RUN pip install --constraint constraints/python-3.12.txt '.[airflow,postgres]' \
    && useradd --create-home --home-dir /opt/airflow airflow
COPY --chown=airflow dags /opt/airflow/dags
COPY --chown=airflow plugins /opt/airflow/plugins

USER airflow
WORKDIR /opt/airflow
ENTRYPOINT ["airflow"]
