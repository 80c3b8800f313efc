# The service as built from these sources: no build tools in the final image, no root, nothing written but the records.
ARG PYTHON=python:3.11.13-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /src
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY docs/deploy/constraints.txt pyproject.toml README.md LICENSE ./
COPY cds_service ./cds_service
COPY fhir_examples ./fhir_examples
COPY docs ./docs
RUN python -m venv /opt/cds-service \
    && /opt/cds-service/bin/pip install --constraint constraints.txt ".[postgres]" \
    && /opt/cds-service/bin/pip uninstall --yes pip setuptools

FROM ${PYTHON}
RUN groupadd --gid 10001 cds-service \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin cds-service \
    && install --directory --owner 10001 --group 10001 --mode 0700 /var/lib/cds-service
COPY --from=build /opt/cds-service /opt/cds-service
ENV PATH=/opt/cds-service/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    CDS_SERVICE_DATABASE_URL=sqlite:////var/lib/cds-service/records.sqlite3
USER 10001:10001
VOLUME /var/lib/cds-service
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/health/ready', timeout=4)"]
ENTRYPOINT ["cds-service"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8080", "--workers", "2"]
