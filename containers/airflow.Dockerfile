# Airflow with the DAGs, their plugins, and lfcore, which both import.
# Base image, index and certificates are chosen as for the worker (Dockerfile).
ARG DEBIAN=debian:bookworm-slim

FROM ${DEBIAN} AS dependencies
RUN apt-get update \
    && apt-get install --yes --no-install-recommends python3 python3-pip python3-venv \
    && rm -rf /var/lib/apt/lists/*
ARG PIP_INDEX_URL=https://pypi.org/simple
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY setup.cfg pyproject.toml README.md LICENSE ./
COPY constraints ./constraints
# An empty package stands for the real one, so that only a change of the dependencies installs them anew.
RUN --mount=type=secret,id=certificates \
    if [ -s /run/secrets/certificates ]; then export PIP_CERT=/run/secrets/certificates; fi \
    && mkdir lfcore && echo '__version__ = "0"' > lfcore/__init__.py \
    && python3 -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --constraint constraints/python-3.11.txt '.[airflow,postgres]' \
    && pip --python /opt/venv/bin/python uninstall --yes lfcore \
    && rm -rf build lfcore lfcore.egg-info
COPY lfcore ./lfcore
RUN --mount=type=secret,id=certificates \
    if [ -s /run/secrets/certificates ]; then export PIP_CERT=/run/secrets/certificates; fi \
    && pip --python /opt/venv/bin/python install --no-deps --prefix /package .

FROM ${DEBIAN}
# Any user may run this image: it writes to these two folders and to /tmp alone. The empty configuration keeps Airflow
# from writing one of its own.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 \
    && rm -rf /var/lib/apt/lists/* \
    && install --directory --mode 1777 /opt/airflow/logs /opt/airflow/passwords \
    && touch /opt/airflow/airflow.cfg
COPY --from=dependencies /opt/venv /opt/venv
COPY --from=dependencies /package /opt/venv
COPY containers/airflow_init.py containers/healthy.py /opt/airflow/
COPY plugins /opt/airflow/plugins
# Each task is a process of its own, which would compile them anew.
RUN python3 -m compileall -q /opt/airflow/plugins
COPY dags /opt/airflow/dags
ENV AIRFLOW_HOME=/opt/airflow HOME=/tmp PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 USER=airflow
USER 10001:10001
WORKDIR /opt/airflow
ENTRYPOINT ["airflow"]
