# The images of `blocks`. Before a build, `.github/release.sh image` puts the static commands of a release into the folder
# `image`.
#
#   docker build --tag blocks .                        only the command
#   docker build --tag blocks:shell --target shell .   with a shell too, because GitLab runs the script of a job in it
#
# Without arguments, the image with only the command serves the mock, because a service container of GitHub cannot be
# given arguments.

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
# Every program that reaches the port can control the mock: publish the port only in a network that you trust.
CMD ["mock", "--listen", "0.0.0.0", "--port", "8765", "--control"]
