#!/usr/bin/env bash
# Debian's amqp-tools, on the port that the command line names. What they print
# and how they end is what is compared.
set -uo pipefail
url="amqp://guest:guest@127.0.0.1:$1/%2f"
q=tools

step() {
  local out rc
  out=$("${@:2}" 2>&1 | sed 's/^amqp-[a-z-]*: //; s/^\/[^ ]*: //')
  rc=${PIPESTATUS[0]}
  echo "$1: $rc $out"
}

step "declare" amqp-declare-queue -u "$url" -q $q -d
step "declare again" amqp-declare-queue -u "$url" -q $q -d
step "declare again, otherwise" amqp-declare-queue -u "$url" -q $q
step "declare server-named" amqp-declare-queue -u "$url" -q ""
for i in 1 2 3; do step "publish $i" amqp-publish -u "$url" -r $q -b "message $i" -p -C text/plain; done
step "publish a file" bash -c "seq 100000 | amqp-publish -u $url -r $q -p"
step "get" amqp-get -u "$url" -q $q
step "consume" amqp-consume -u "$url" -q $q -c 2 cat
step "get the file" bash -c "amqp-get -u $url -q $q | md5sum"
step "get from an empty queue" amqp-get -u "$url" -q $q
step "get from a missing queue" amqp-get -u "$url" -q missing
step "publish to a missing exchange" amqp-publish -u "$url" -e missing -r $q -b x
step "consume through an exchange" bash -c "
  (timeout 20 amqp-consume -u $url -e amq.topic -r 'tools.*' -c 1 cat) & waits=\$!
  for _ in \$(seq 100); do amqp-publish -u $url -e amq.topic -r tools.key -b routed; kill -0 \$waits 2>/dev/null || break; sleep 0.1; done; wait \$waits"
step "delete" amqp-delete-queue -u "$url" -q $q
step "delete again" amqp-delete-queue -u "$url" -q $q
step "wrong password" amqp-get -u "amqp://guest:wrong@127.0.0.1:$1/%2f" -q $q
