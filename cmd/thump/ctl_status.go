package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"
)

func queryEscape(s string) string { return url.QueryEscape(s) }

// status prints the state of the broker in the sections of rabbitmqctl.
func (c *ctl) status(ctx context.Context, _ []string) error {
	var overview, node map[string]any
	if err := c.api.get(ctx, path("overview"), &overview); err != nil {
		return err
	}
	name, _ := overview["node"].(string)
	if err := c.api.get(ctx, path("nodes", name), &node); err != nil {
		return err
	}
	c.banner("Status of node %s", name)
	if c.formatter == "json" {
		return json.NewEncoder(c.out).Encode(map[string]any{"overview": overview, "node": node})
	}
	c.section("Runtime")
	c.line("OS PID", node["os_pid"])
	c.line("RabbitMQ version", overview["rabbitmq_version"])
	c.line("thump version", overview["thump_version"])
	c.line("Node name", name)
	c.line("Cluster name", overview["cluster_name"])
	c.line("Uptime", milliseconds(node["uptime"]))
	c.section("Data directory")
	fmt.Fprintln(c.out, "Node data directory:", node["db_dir"])
	c.section("Memory")
	c.line("Total memory used", fmt.Sprint(node["mem_used"], " bytes"))
	c.section("File Descriptors")
	fmt.Fprintf(c.out, "Total: %v, limit: %v\n", node["fd_used"], node["fd_total"])
	c.section("Free Disk Space")
	c.line("Free disk space", fmt.Sprint(node["disk_free"], " bytes"))
	c.section("Totals")
	totals, _ := overview["object_totals"].(map[string]any)
	var vhosts []any
	if err := c.api.get(ctx, path("vhosts"), &vhosts); err != nil {
		return err
	}
	c.line("Connection count", totals["connections"])
	c.line("Queue count", totals["queues"])
	c.line("Virtual host count", len(vhosts))
	c.section("Listeners")
	listeners, _ := overview["listeners"].([]any)
	for _, l := range listeners {
		o, _ := l.(map[string]any)
		fmt.Fprintf(c.out, "Interface: %v, port: %v, protocol: %v\n", o["ip_address"], o["port"], o["protocol"])
	}
	return nil
}

func (c *ctl) section(name string) { fmt.Fprintf(c.out, "\n%s\n\n", name) }

func (c *ctl) line(name string, value any) { fmt.Fprintf(c.out, "%s: %v\n", name, value) }

func milliseconds(v any) string {
	n, ok := v.(json.Number)
	if !ok {
		return ""
	}
	ms, err := n.Int64()
	if err != nil {
		return ""
	}
	return (time.Duration(ms) * time.Millisecond).Round(time.Second).String()
}
