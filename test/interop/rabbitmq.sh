# Debian's rabbitmq-server on ports of its own; to be sourced. Two clones can run
# at once with different values of INTEROP_PORT.
#
#   start_rabbitmq NAME PORT DIR [PLUGIN…]   starts a node NAME@localhost that keeps everything in DIR; AMQP on
#                                            PORT, Erlang's distribution on PORT+1, management, if asked for, on PORT+2
#   stop_rabbitmq DIR                        ends it
#
# A node's Erlang cookie is DIR/.erlang.cookie: HOME=DIR rabbitmqctl -n NAME@localhost … talks to it.

rabbitmq_server=/usr/lib/rabbitmq/bin/rabbitmq-server

start_rabbitmq() {
  local name=$1 port=$2 dir=$3
  shift 3
  [ -x "$rabbitmq_server" ] || { echo "rabbitmq-server is missing: apt-get install rabbitmq-server"; return 1; }
  mkdir -p "$dir"
  (IFS=,; echo "[$*]." >"$dir/plugins")
  printf 'management.tcp.port = %d\nmanagement.tcp.ip = 127.0.0.1\n' $((port + 2)) >"$dir/rabbitmq.conf"
  [[ " $* " == *" rabbitmq_management "* ]] || : >"$dir/rabbitmq.conf"
  HOME="$dir" RABBITMQ_NODENAME="$name@localhost" RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT=$port \
    RABBITMQ_DIST_PORT=$((port + 1)) RABBITMQ_CONFIG_FILE="$dir/rabbitmq.conf" RABBITMQ_MNESIA_BASE="$dir/mnesia" \
    RABBITMQ_LOG_BASE="$dir/log" RABBITMQ_ENABLED_PLUGINS_FILE="$dir/plugins" RABBITMQ_PID_FILE="$dir/pid" \
    "$rabbitmq_server" >"$dir/out" 2>&1 &
  echo $! >"$dir/shell"
  for _ in $(seq 240); do
    grep -q 'completed with' "$dir/out" && return
    kill -0 "$(cat "$dir/shell")" 2>/dev/null || break
    sleep 0.5
  done
  cat "$dir/out"
  echo "RabbitMQ did not start"
  return 1
}

stop_rabbitmq() {
  local pid
  pid=$(cat "$1/shell" 2>/dev/null) || return 0
  kill "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
}
