package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// listing is a verb that lists objects of the API.
type listing struct {
	verb, short string
	banner      string            // %s stands for the virtual host or the argument
	argument    string            // what the verb asks for before the columns; "": nothing
	path        []string          // of the API; {vhost} and {argument} are filled in
	defaults    []string          // columns
	more        []string          // columns that may be asked for
	fields      map[string]string // where a column is in the API's object, if not under its own name
	fixed       bool              // no columns can be asked for
}

// listings are those verbs, with rabbitmqctl's columns.
func listings() []listing {
	return []listing{
		{
			verb: "list_queues", short: "List queues", banner: "Listing queues for vhost %s", path: []string{"queues", "{vhost}"},
			defaults: []string{"name", "messages"},
			more: []string{
				"durable", "auto_delete", "arguments", "policy", "operator_policy", "effective_policy_definition", "exclusive",
				"owner_pid", "messages_ready", "messages_unacknowledged", "message_bytes_ready", "consumers", "state", "type",
				"single_active_consumer_tag", "vhost", "node",
			},
			fields: map[string]string{"owner_pid": "owner_pid_details.name"},
		},
		{
			verb: "list_exchanges", short: "List exchanges", banner: "Listing exchanges for vhost %s", path: []string{"exchanges", "{vhost}"},
			defaults: []string{"name", "type"}, more: []string{"durable", "auto_delete", "internal", "arguments", "policy"},
		},
		{
			verb: "list_bindings", short: "List bindings", banner: "Listing bindings for vhost %s", path: []string{"bindings", "{vhost}"},
			defaults: []string{"source_name", "source_kind", "destination_name", "destination_kind", "routing_key", "arguments"},
			fields: map[string]string{
				"source_name": "source", "destination_name": "destination", "destination_kind": "destination_type", "source_kind": "source_kind",
			},
		},
		{
			verb: "list_connections", short: "List connections", banner: "Listing connections", path: []string{"connections"},
			defaults: []string{"user", "peer_host", "peer_port", "state"},
			more: []string{
				"name", "pid", "vhost", "port", "host", "ssl", "ssl_protocol", "ssl_key_exchange", "ssl_cipher", "ssl_hash", "protocol",
				"auth_mechanism", "channels", "channel_max", "frame_max", "timeout", "client_properties", "connected_at", "recv_oct", "send_oct",
			},
			fields: map[string]string{"pid": "name"},
		},
		{
			verb: "list_channels", short: "List channels", banner: "Listing channels", path: []string{"channels"},
			defaults: []string{"pid", "user", "consumer_count", "messages_unacknowledged"},
			more: []string{
				"name", "number", "connection", "vhost", "confirm", "messages_unconfirmed", "prefetch_count", "global_prefetch_count", "state",
			},
			fields: map[string]string{"pid": "name", "connection": "connection_details.name"},
		},
		{
			verb: "list_consumers", short: "List consumers", banner: "Listing consumers in vhost %s", path: []string{"consumers", "{vhost}"},
			defaults: []string{"queue_name", "channel_pid", "consumer_tag", "ack_required", "prefetch_count", "active", "arguments"},
			more:     []string{"exclusive", "activity_status"},
			fields:   map[string]string{"queue_name": "queue.name", "channel_pid": "channel_details.name"},
		},
		{
			verb: "list_users", short: "List users and their tags", banner: "Listing users", path: []string{"users"},
			defaults: []string{"user", "tags"}, fields: map[string]string{"user": "name"}, fixed: true,
		},
		{
			verb: "list_vhosts", short: "List virtual hosts", banner: "Listing vhosts", path: []string{"vhosts"},
			defaults: []string{"name"}, more: []string{"tracing", "description", "tags", "default_queue_type", "cluster_state", "metadata"},
		},
		{
			verb: "list_permissions", short: "List permissions in a virtual host", banner: `Listing permissions for vhost "%s"`,
			path: []string{"vhosts", "{vhost}", "permissions"}, defaults: []string{"user", "configure", "write", "read"}, fixed: true,
		},
		{
			verb: "list_topic_permissions", short: "List topic permissions in a virtual host", banner: `Listing topic permissions for vhost "%s"`,
			path: []string{"vhosts", "{vhost}", "topic-permissions"}, defaults: []string{"user", "exchange", "write", "read"}, fixed: true,
		},
		{
			verb: "list_user_permissions", short: "List the permissions of a user", banner: `Listing permissions for user "%s"`, argument: "USER",
			path: []string{"users", "{argument}", "permissions"}, defaults: []string{"vhost", "configure", "write", "read"}, fixed: true,
		},
		{
			verb: "list_policies", short: "List policies", banner: `Listing policies for vhost "%s"`, path: []string{"policies", "{vhost}"},
			defaults: []string{"vhost", "name", "pattern", "apply-to", "definition", "priority"}, fixed: true,
		},
		{
			verb: "list_operator_policies", short: "List operator policies", banner: `Listing operator policy overrides for vhost "%s"`,
			path: []string{"operator-policies", "{vhost}"}, defaults: []string{"vhost", "name", "pattern", "apply-to", "definition", "priority"}, fixed: true,
		},
	}
}

func (c *ctl) listCommand(l listing) *cobra.Command {
	use, args := l.verb, cobra.ArbitraryArgs
	if l.argument != "" {
		use += " " + l.argument
	}
	switch {
	case l.fixed && l.argument != "":
		args = cobra.ExactArgs(1)
	case l.fixed:
		args = cobra.NoArgs
	default:
		use += " [COLUMN…]"
	}
	cmd := &cobra.Command{Use: use, Short: l.short, Args: args, RunE: func(cmd *cobra.Command, args []string) error {
		return c.list(cmd, l, args)
	}}
	if len(l.more) > 0 {
		cmd.Long = l.short + ". Columns: " + strings.Join(slices.Concat(l.defaults, l.more), ", ") + "."
	}
	return cmd
}

func (c *ctl) list(cmd *cobra.Command, l listing, args []string) error {
	subject := c.vhost
	if l.argument != "" {
		subject, args = args[0], args[1:]
	}
	columns, err := l.columns(args)
	if err != nil {
		return err
	}
	if strings.Contains(l.banner, "%s") {
		c.banner(l.banner, subject)
	} else {
		c.banner(l.banner)
	}
	var objects []map[string]any
	if err := c.api.get(cmd.Context(), l.url(c.vhost, subject), &objects); err != nil {
		return l.explain(err, subject)
	}
	rows := make([]row, len(objects))
	for i, o := range objects {
		for _, column := range columns {
			rows[i] = append(rows[i], l.value(o, column))
		}
	}
	return c.printRows(columns, rows)
}

func (l listing) url(vhost, subject string) string {
	segments := slices.Clone(l.path)
	for i, s := range segments {
		switch s {
		case "{vhost}":
			segments[i] = vhost
		case "{argument}":
			segments[i] = subject
		}
	}
	return path(segments...)
}

func (l listing) explain(err error, subject string) error {
	switch {
	case statusOf(err) != 404:
		return err
	case l.argument != "":
		return fmt.Errorf("user %q does not exist", subject)
	}
	return fmt.Errorf("virtual host '%s' does not exist", subject)
}

// columns are those asked for, which may come in one argument, or the defaults.
func (l listing) columns(args []string) ([]string, error) {
	asked := strings.FieldsFunc(strings.Join(args, " "), func(r rune) bool { return r == ' ' || r == ',' })
	if len(asked) == 0 {
		return l.defaults, nil
	}
	for _, a := range asked {
		if !slices.Contains(l.defaults, a) && !slices.Contains(l.more, a) {
			return nil, fmt.Errorf("{:bad_info_key, [:%s]}", a)
		}
	}
	return asked, nil
}

func (l listing) value(o map[string]any, column string) any {
	if column == "source_kind" {
		return "exchange"
	}
	field := column
	if f, ok := l.fields[column]; ok {
		field = f
	}
	for {
		key, rest, deeper := strings.Cut(field, ".")
		if !deeper {
			break
		}
		o, _ = o[key].(map[string]any)
		field = rest
	}
	if definition, ok := o[field].(map[string]any); ok && column == "definition" {
		text, err := json.Marshal(definition)
		if err == nil { // it was JSON a moment ago
			return string(text)
		}
	}
	return o[field]
}
