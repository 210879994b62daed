package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"thump/broker"
	"thump/broker/management"
)

// startBroker runs a broker with its management API and returns the API's URL.
func startBroker(t *testing.T) string {
	t.Helper()
	cfg := broker.DefaultConfig()
	cfg.DataDir, cfg.AMQP = t.TempDir(), []string{"127.0.0.1:0"}
	log := slog.New(slog.DiscardHandler)
	b, err := broker.New(cfg, broker.Deps{Logger: log, Registerer: prometheus.NewRegistry(), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := management.New(management.Config{Address: "127.0.0.1:0"}, management.Deps{Broker: b, Logger: log, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{b.Run, m.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(func() { cancel(); running.Wait() })
	return "http://" + m.Addr().String()
}

// runCtl runs `thump ctl` with a line of arguments; 'x y' is one argument.
func runCtl(t *testing.T, url, line string) (string, error) {
	t.Helper()
	var args []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			args = append(args, part)
		} else {
			args = append(args, strings.Fields(part)...)
		}
	}
	cmd := newRoot()
	var out bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	cmd.SetArgs(append([]string{"ctl", "--node", url}, args...))
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

// TestCtl holds the verbs to what Debian's rabbitmqctl 3.10 prints.
func TestCtl(t *testing.T) {
	url := startBroker(t)
	for _, c := range []struct{ line, want string }{
		{"list_queues", "Listing queues for vhost / ...\n"},
		{"list_users", "Listing users ...\nuser\ttags\nguest\t[administrator]\n"},
		{"list_vhosts", "Listing vhosts ...\nname\n/\n"},
		{"add_vhost v2", "Adding vhost \"v2\" ...\n"},
		{"add_user bob pw", "Adding user \"bob\" ...\nDone. Don't forget to grant the user permissions to some virtual hosts! See 'thump ctl set_permissions --help' to learn more.\n"},
		{"add_user bob pw", "ERR user \"bob\" already exists"},
		{"set_user_tags bob monitoring management", "Setting tags for user \"bob\" to [monitoring, management] ...\n"},
		{"-q list_users", "user\ttags\nbob\t[monitoring, management]\nguest\t[administrator]\n"},
		{"authenticate_user bob pw", "Authenticating user \"bob\" ...\nSuccess\n"},
		{"change_password bob new", "Changing password for user \"bob\" ...\n"},
		{"authenticate_user bob pw", "ERR failed to authenticate user \"bob\"\nuser 'bob' - invalid credentials"},
		{"-q authenticate_user bob new", ""},
		{"-p v2 set_permissions bob a b c", "Setting permissions for user \"bob\" in vhost \"v2\" ...\n"},
		{"set_permissions -p none bob a b c", "ERR Virtual host 'none' does not exist"},
		{"list_permissions", "Listing permissions for vhost \"/\" ...\nuser\tconfigure\twrite\tread\nguest\t.*\t.*\t.*\n"},
		{"list_user_permissions bob", "Listing permissions for user \"bob\" ...\nvhost\tconfigure\twrite\tread\nv2\ta\tb\tc\n"},
		{"-p v2 --no-table-headers -q list_permissions", "bob\ta\tb\tc\nguest\t.*\t.*\t.*\n"},
		{"-p v2 clear_permissions bob", "Clearing permissions for user \"bob\" in vhost \"v2\" ...\n"},
		{`set_policy p ^q '{"max-length":7}' --priority 2 --apply-to queues`,
			"Setting policy \"p\" for pattern \"^q\" to \"{\"max-length\":7}\" with priority \"2\" for vhost \"/\" ...\n"},
		{"list_policies", "Listing policies for vhost \"/\" ...\nvhost\tname\tpattern\tapply-to\tdefinition\tpriority\n/\tp\t^q\tqueues\t{\"max-length\":7}\t2\n"},
		{"import_definitions testdata/ctl/definitions.json", "Importing definitions in JSON from a file at \"testdata/ctl/definitions.json\" ...\nSuccessfully imported the definitions.\n"},
		{"list_queues", "Listing queues for vhost / ...\nname\tmessages\nq1\t0\n"},
		{"-q list_queues name messages arguments policy", "name\tmessages\targuments\tpolicy\nq1\t0\t[{\"x-max-length\",5}]\tp\n"},
		{"list_queues --formatter json", "[\n{\"name\":\"q1\",\"messages\":0}\n]\n"},
		{"-s list_queues --formatter csv name arguments", "\"q1\",\"[{\"\"x-max-length\"\",5}]\"\n"},
		{"-q list_queues --formatter pretty_table name durable", "┌──────┬─────────┐\n│ name │ durable │\n├──────┼─────────┤\n│ q1   │ true    │\n└──────┴─────────┘\n"},
		{"list_queues nonesuch", "ERR {:bad_info_key, [:nonesuch]}"},
		{"-q list_bindings", "source_name\tsource_kind\tdestination_name\tdestination_kind\trouting_key\targuments\n" +
			"\texchange\tq1\tqueue\tq1\t[]\namq.topic\texchange\tq1\tqueue\ta.#\t[]\n"},
		{"-q list_exchanges name type durable --no-table-headers", "\tdirect\ttrue\namq.direct\tdirect\ttrue\namq.fanout\tfanout\ttrue\n" +
			"amq.headers\theaders\ttrue\namq.match\theaders\ttrue\namq.topic\ttopic\ttrue\n"},
		{`set_user_limits bob '{"max-connections":5,"max-channels":9}'`, "Setting user limits to \"{\"max-connections\":5,\"max-channels\":9}\" for user \"bob\" ...\n"},
		{"list_user_limits --of bob", "Listing limits for user \"bob\" ...\n{\"max-channels\":9,\"max-connections\":5}\n"},
		{"clear_user_limits bob max-channels", "Clearing \"max-channels\" limit for user \"bob\" ...\n"},
		{"-q list_user_limits --of bob", "{\"max-connections\":5}\n"},
		{"clear_user_limits bob all", "Clearing all limits for user \"bob\" ...\n"},
		{"-q list_user_limits --of bob", "{}\n"},
		{`-q set_user_limits bob '{"nonsense":5}'`, "ERR there is no limit \"nonsense\", only [\"max-channels\" \"max-connections\"]"},
		{`-q set_user_limits nobody '{"max-channels":5}'`, "ERR user \"nobody\" does not exist"},
		{`set_vhost_limits '{"max-queues":5}'`, "Setting vhost limits to \"{\"max-queues\":5}\" for vhost \"/\" ...\n"},
		{"list_vhost_limits", "Listing limits for vhost \"/\" ...\n{\"max-queues\":5}\n"},
		{"clear_vhost_limits", "Clearing vhost \"/\" limits ...\n"},
		{"-q list_vhost_limits", "{}\n"},
		{"list_connections", "Listing connections ...\n"},
		{"list_channels", "Listing channels ...\n"},
		{"list_consumers", "Listing consumers in vhost / ...\n"},
		{"close_connection none why", "ERR connection \"none\" does not exist"},
		{"purge_queue q1", "Purging queue 'q1' in vhost '/' ...\n"},
		{"delete_queue q1", "Deleting queue 'q1' on vhost '/' ...\nQueue was successfully deleted with 0 ready messages\n"},
		{"delete_queue q1", "ERR Queue not found"},
		{"clear_policy p", "Clearing policy \"p\" on vhost \"/\" ...\n"},
		{"clear_policy p", "ERR policy not found"},
		{"delete_user bob", "Deleting user \"bob\" ...\n"},
		{"delete_user bob", "ERR user \"bob\" does not exist"},
		{"delete_vhost v2", "Deleting vhost \"v2\" ...\n"},
		{"--password wrong list_queues", "ERR Login failed"},
	} {
		out, err := runCtl(t, url, c.line)
		if want, fails := strings.CutPrefix(c.want, "ERR "); fails {
			if err == nil || err.Error() != want {
				t.Errorf("ctl %s fails with %v, want %s", c.line, err, want)
			}
			continue
		}
		if err != nil || out != c.want {
			t.Errorf("ctl %s prints\n%s%v\nwant\n%s", c.line, out, err, c.want)
		}
	}
}

func TestCtlExportAndStatus(t *testing.T) {
	url := startBroker(t)
	file := filepath.Join(t.TempDir(), "definitions.json")
	if out, err := runCtl(t, url, "export_definitions "+file); err != nil {
		t.Fatal(out, err)
	}
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), `"users"`) {
		t.Errorf("the export is %s, %v", text, err)
	}
	out, err := runCtl(t, url, "status")
	if err != nil || !strings.Contains(out, "protocol: amqp\n") || !strings.Contains(out, "Connection count: 0\n") {
		t.Errorf("status prints %s, %v", out, err)
	}
	if _, err := runCtl(t, "http://127.0.0.1:1", "status"); err == nil || !strings.Contains(err.Error(), "--node http://127.0.0.1:1") {
		t.Errorf("without a broker: %v", err)
	}
}
