# Prefect server (API, services, migrations) and `rhapsody deploy`. Built from the root of a checkout:
#   docker build -f deployments/images/server.Dockerfile -t rhapsody-server:0.1.0 .
FROM python:3.11.11-slim-bookworm
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN useradd --uid 10001 --create-home rhapsody && install -d -o rhapsody /var/lib/rhapsody
WORKDIR /opt/rhapsody
COPY . .
RUN pip install -c deployments/images/constraints.txt -e '.[orchestrate,scale]'
USER rhapsody
ENV PREFECT_HOME=/var/lib/rhapsody
EXPOSE 4200
CMD ["prefect", "server", "start", "--no-services", "--host", "0.0.0.0", "--port", "4200"]
