package alerting_test

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"thump/alerting"
)

func TestReload(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	s := newSetup(t, b, busyRule, routes(hook.URL))
	p := s.start(t)
	a := newAgent(t, b, "web01", time.Minute)
	a.publish("cpu", "busy", 97)
	hook.next(t, patience, "firing", "Busy", "web01")

	// A bad file of either kind keeps both as they are.
	write(t, s.rules, strings.ReplaceAll(busyRule, "busy > 90", "busy > > 90"))
	if err := p.Reload(); err == nil || !strings.Contains(err.Error(), s.rules+": 7:15: ") {
		t.Errorf("bad rule: %v, want %s: 7:15: …", err, s.rules)
	}
	write(t, s.rules, strings.Replace(busyRule, "Busy", "TooBusy", 1))
	write(t, s.am, strings.Replace(routes(hook.URL), "receiver: hook", "reciever: hook", 1))
	if err := p.Reload(); err == nil || !strings.Contains(err.Error(), s.am+": line 2: unknown key \"reciever\"") {
		t.Errorf("bad alertmanager.yml: %v, want %s: line 2: unknown key \"reciever\"", err, s.am)
	}
	newAgent(t, b, "web02", time.Minute).publish("cpu", "busy", 97)
	hook.next(t, patience, "firing", "Busy", "web02")

	// Good ones are taken, over HTTP too; what goes on firing is not told again.
	write(t, s.rules, busyRule+"      - {alert: Idle, expr: idle > 90}\n")
	write(t, s.am, routes(hook.URL))
	r, err := http.Post(p.URL+"/-/reload", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(r.Body)
	r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Fatalf("reload: %s %s", r.Status, text)
	}
	hook.quiet(t, time.Second)
	a.publish("cpu", "idle", 99)
	hook.next(t, patience, "firing", "Idle", "web01")
	a.publish("cpu", "busy", 20)
	hook.next(t, patience, "resolved", "Busy", "web01")
	if failed, done := p.counter(t, "thump_alerting_reloads_total", "outcome=failed"), p.counter(t, "thump_alerting_reloads_total", "outcome=done"); failed != 2 || done != 1 {
		t.Errorf("%v reloads failed and %v done, want 2 and 1", failed, done)
	}
}

// TestRemovedRule: an alert whose rule is gone is resolved once nobody has said
// for a while that it fires; until then it is not forgotten.
func TestRemovedRule(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	s := newSetup(t, b, busyRule, routes(hook.URL))
	p := s.start(t)
	newAgent(t, b, "web01", time.Minute).publish("cpu", "busy", 97)
	hook.next(t, patience, "firing", "Busy", "web01")
	write(t, s.rules, "groups: []\n")
	if err := p.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := p.states(t); len(got) != 0 {
		t.Errorf("alerts of rules that are gone: %v", got)
	}
	hook.quiet(t, time.Second)
}

func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, rules, am string
		change          func(*alerting.Config)
		want            string
	}{
		{name: "unknown key in a rule", rules: strings.Replace(busyRule, "labels:", "lables:", 1), want: "rules.yml: yaml: unmarshal errors:\n  line 8: field lables"},
		{name: "unknown key in a route", am: "route:\n  receiver: x\n  group_bye: [a]\nreceivers: [{name: x}]\n", want: "alertmanager.yml: line 3: unknown key \"group_bye\""},
		{name: "two unknown keys", am: "rout: 1\nroute: {receiver: x}\nreceivers: [{name: x}]\nfoo: 2\n", want: "line 4: unknown key \"foo\""},
		{name: "unknown receiver", am: "route: {receiver: y}\nreceivers: [{name: x}]\n", want: "alertmanager.yml: undefined receiver \"y\""},
		{name: "not YAML", am: "route: [\n", want: "alertmanager.yml: line 1:"},
		{name: "no alertmanager.yml", change: func(c *alerting.Config) { c.AlertmanagerConfig = "/nowhere.yml" }, want: "read alertmanager configuration: open /nowhere.yml"},
		{name: "no rule file", change: func(c *alerting.Config) { c.Rules = []string{"/nowhere.yml"} }, want: "/nowhere.yml does not exist"},
		{name: "no URL", change: func(c *alerting.Config) { c.ExternalURL = "localhost" }, want: "external URL \"localhost\""},
		{name: "no interval", change: func(c *alerting.Config) { c.Interval = 0 }, want: "rules interval 0s"},
		{name: "no folder", change: func(c *alerting.Config) { c.DataDir = "/proc/nowhere" }, want: "make alerting's data folder"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newSetup(t, newMemory(), c.rules, c.am)
			if c.change != nil {
				c.change(&s.cfg)
			}
			_, err := alerting.New(s.cfg, alerting.Deps{Bus: s.bus, Logger: s.log, Registerer: prometheus.NewRegistry()})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestRuleGlobs(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	s := newSetup(t, b, busyRule, routes(hook.URL))
	write(t, filepath.Join(s.dir, "more.rules"), "groups: [{name: more, rules: [{record: busy:max, expr: max by (instance) (busy)}]}]\n")
	// A group that reads what another records is evaluated after it.
	write(t, filepath.Join(s.dir, "other.rules"), "groups: [{name: other, interval: 1m, rules: [{alert: Max, expr: 'busy:max > 90'}]}]\n")
	s.cfg.Rules = []string{filepath.Join(s.dir, "*.rules"), filepath.Join(s.dir, "none*.yml")}
	s.start(t)
	newAgent(t, b, "web01", time.Minute).publish("cpu", "busy", 97)
	hook.next(t, patience, "firing", "Max", "web01")
}

func TestFolderInUse(t *testing.T) {
	t.Parallel()
	s := newSetup(t, newMemory(), "", "")
	s.start(t)
	_, err := alerting.New(s.cfg, alerting.Deps{Bus: s.bus, Logger: s.log, Registerer: prometheus.NewRegistry()})
	if err == nil || !strings.Contains(err.Error(), "used by another thump") {
		t.Errorf("opened twice: %v", err)
	}
}
