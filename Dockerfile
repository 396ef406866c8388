# The images of `blocks`. `.github/release.sh image` puts the static commands of a release into the folder image first.
#
#   docker build --tag blocks .                        the command alone
#   docker build --tag blocks:shell --target shell .   with a shell, in which GitLab runs a job's script
#
# Without arguments the first one serves the mock: a service container of GitHub cannot be given any.

FROM alpine:3.22 AS certificates

FROM busybox:1.37-musl AS shell
ARG TARGETARCH
COPY --from=certificates /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY image/${TARGETARCH}/blocks /usr/local/bin/blocks
COPY --chown=65532:65532 image/home /home/blocks
ENV HOME=/home/blocks
WORKDIR /home/blocks
USER 65532:65532
CMD ["sh"]

FROM scratch
ARG TARGETARCH
COPY --from=certificates /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY image/${TARGETARCH}/blocks /usr/local/bin/blocks
COPY --chown=65532:65532 image/home /home/blocks
ENV PATH=/usr/local/bin HOME=/home/blocks
WORKDIR /home/blocks
USER 65532:65532
EXPOSE 8765
ENTRYPOINT ["blocks"]
# Everything that reaches the port can steer the mock: publish it only in a network that you trust.
CMD ["mock", "--listen", "0.0.0.0", "--port", "8765", "--control"]
