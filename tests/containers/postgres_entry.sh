#!/bin/sh
# Makes the database at the first start, with a server that listens on its socket only, as postgres:16 does.
set -eu

chmod 700 "$PGDATA"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    printf %s "$POSTGRES_PASSWORD" > /tmp/password
    initdb --encoding UTF8 --locale C.UTF-8 --username "$POSTGRES_USER" --pwfile /tmp/password --auth-host scram-sha-256 --auth-local trust
    rm /tmp/password
    pg_ctl start --wait --options '-c listen_addresses='
    createdb --username "$POSTGRES_USER" "$POSTGRES_DB"
    pg_ctl stop --wait --mode fast
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
fi
exec postgres -c 'listen_addresses=*'
