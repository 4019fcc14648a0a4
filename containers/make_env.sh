#!/usr/bin/env bash
# Makes the file .env for docker-compose.yaml, with new secrets, and the folder for data; keeps a file that is there.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 077

secret() { head --bytes 32 /dev/urandom | base64 --wrap 0 | tr '+/' '-_'; }
password() { head --bytes 18 /dev/urandom | base64 --wrap 0 | tr '+/' '-_'; }

readonly file=${1:-.env}
readonly data=${LIGHTFIELD_DATA:-./data}
if [[ -e $file ]]; then
    echo "make_env.sh: $file is there already; its secrets belong to the database, so it is kept" >&2
    exit 0
fi
# The containers write results as the user who starts them, but never as root.
user=$(id -u):$(id -g)
if ((EUID == 0)); then user=10001:10001; fi
(umask 022 && mkdir -p "$data/runs")
if ((EUID == 0)); then chown "$user" "$data" "$data/runs"; fi

cat > "$file.new" <<END
# docs/docker.md explains these and the other choices. Secrets: keep this file to yourself.
AIRFLOW_ADMIN_PASSWORD=$(password)
AIRFLOW_FERNET_KEY=$(secret)
AIRFLOW_JWT_SECRET=$(secret)
AIRFLOW_SECRET_KEY=$(secret)
POSTGRES_PASSWORD=$(password)
# Whom the files that containers write belong to, number:number.
LIGHTFIELD_USER=$user
# What the containers see as /data.
LIGHTFIELD_DATA=$data
# 'local' starts the local Batch; empty for AWS Batch.
COMPOSE_PROFILES=local
# How many jobs the local Batch runs at a time; a reconstruction uses all cores, or a GPU, by itself.
LIGHTFIELD_SLOTS_CPU=$(nproc)
LIGHTFIELD_SLOTS_GPU=1
END
mv "$file.new" "$file"
echo "made $file; user admin has the password AIRFLOW_ADMIN_PASSWORD in it"
