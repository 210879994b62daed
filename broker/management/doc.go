// Package management is the broker's front door for people and their tools: the
// HTTP API of RabbitMQ's management plugin, so that rabbitmqadmin, exporters and
// dashboards work unchanged, and the metrics of its Prometheus plugin. It sees the
// broker as other programs do, through what package broker exports.
package management
