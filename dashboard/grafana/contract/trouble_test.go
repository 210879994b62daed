package contract

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
)

// orders is a live panel of one series.
const orders = `{"expr":"orders{instance=\"till7\"}","live":true}`

// TestHealthSaysWhatIsWrong checks the check.
func TestHealthSaysWhatIsWrong(t *testing.T) {
	p := up(t)
	g := start(t)
	free := ports(t, 1)[0]
	good := p.settings()
	for name, c := range map[string]struct {
		change func(*settings)
		well   bool
		want   string
	}{
		"all is well":         {func(*settings) {}, true, "Live panels follow amqp://guest:xxxxx@" + p.amqp},
		"no AMQP":             {func(s *settings) { s.amqp = "" }, true, "no panel is live"},
		"wrong password":      {func(s *settings) { s.password = "wrong" }, false, "refuses the login"},
		"no such broker":      {func(s *settings) { s.amqp = "amqp://nowhere.invalid/" }, false, `no such host "nowhere.invalid"`},
		"no broker listens":   {func(s *settings) { s.amqp = "amqp://" + free + "/" }, false, "connection refused"},
		"no such history":     {func(s *settings) { s.url = "http://nowhere.invalid" }, false, `no such host "nowhere.invalid"`},
		"no history listens":  {func(s *settings) { s.url = "http://" + free }, false, "is thump's collector"},
		"not a history":       {func(s *settings) { s.url = p.url() + "/metrics" }, false, "no Prometheus HTTP API"},
		"password in the URL": {func(s *settings) { s.amqp = "amqp://a:b@" + p.amqp }, false, "put it into the field"},
	} {
		t.Run(name, func(t *testing.T) {
			s := good
			c.change(&s)
			conf := g.under(t).configure(s)
			well, said := conf.health()
			if well != c.well || !strings.Contains(said, c.want) {
				t.Errorf("says %v, %q, want %v, %q", well, said, c.well, c.want)
			}
			if strings.Contains(said, "guest:guest") || strings.Contains(said, ":wrong@") {
				t.Errorf("tells the password: %q", said)
			}
		})
	}
}

// TestTroubleIsSaidInThePanelAndGetsWell cuts the link, then ends the server.
func TestTroubleIsSaidInThePanelAndGetsWell(t *testing.T) {
	p := up(t)
	cable := newWire(t, p.amqp)
	s := p.settings()
	s.amqp = "amqp://" + cable.listener.Addr().String() + "/"
	panel := start(t).configure(s).follow(orders)
	flow := func(what string, value float64) {
		t.Helper()
		p.orders(value)
		panel.until(what, shows(value))
	}
	panel.until("the stream begins", func(f *data.Frame) bool { return len(f.Meta.Notices) == 0 })
	flow("before", 1)
	cable.set(true)
	panel.until("the cut is said", says("nothing arrives live"))
	cable.set(false)
	panel.until("the cut is over", func(f *data.Frame) bool { return len(f.Meta.Notices) == 0 })
	flow("after the cut", 2)
	p.kill()
	panel.until("the end of the server is said", says("nothing arrives live"))
	p.start()
	panel.until("the server is back", func(f *data.Frame) bool { return len(f.Meta.Notices) == 0 })
	flow("after the server's return", 3)
}

// TestAPanelThatCannotBeLive says why.
func TestAPanelThatCannotBeLive(t *testing.T) {
	p := up(t)
	g := start(t)
	for name, c := range map[string]struct {
		change func(*settings)
		want   string
	}{
		"wrong password": {func(s *settings) { s.password = "wrong" }, "refuses the login"},
		"no such host":   {func(s *settings) { s.amqp = "amqp://nowhere.invalid/" }, `no such host "nowhere.invalid"`},
		"no AMQP URL":    {func(s *settings) { s.amqp = "" }, "no AMQP URL"},
	} {
		t.Run(name, func(t *testing.T) {
			s := p.settings()
			c.change(&s)
			conf := g.under(t).configure(s)
			conf.follow(orders).until("said", says(c.want))
		})
	}
	for expr, want := range map[string]string{"orders[5m]": "range vector", "rate(orders[1d])": "looks back", "orders @ 1": "stands still"} {
		query, _ := json.Marshal(map[string]any{"expr": expr, "live": true})
		if _, problem := g.configure(p.settings()).ask(string(query), "", lately(60e9)); !strings.Contains(problem, want) {
			t.Errorf("%s is answered by %q, want %q", expr, problem, want)
		}
	}
}

// TestHistoryAwayWhileLive goes on without the past, and says so.
func TestHistoryAwayWhileLive(t *testing.T) {
	p := up(t)
	s := p.settings()
	s.url = "http://" + ports(t, 1)[0]
	panel := start(t).configure(s).follow(orders)
	begins := func(f *data.Frame) bool {
		return len(f.Meta.Notices) == 1 && strings.Contains(f.Meta.Notices[0].Text, "begins with what arrives now")
	}
	panel.until("said", begins)
	p.orders(5)
	panel.until("live", func(f *data.Frame) bool { return begins(f) && f.Rows() == 1 && number(f.Fields[1], 0) == 5 })
}

// TestAForgedPathIsRefused: nobody puts another query under a panel's path.
func TestAForgedPathIsRefused(t *testing.T) {
	p := up(t)
	c := start(t).configure(p.settings())
	for body, want := range map[string]pluginv2.SubscribeStreamResponse_Status{
		`{"request":"{\"expr\":\"orders\"}"}`: pluginv2.SubscribeStreamResponse_PERMISSION_DENIED,
		`nonsense`:                            pluginv2.SubscribeStreamResponse_NOT_FOUND,
	} {
		res, err := c.stream.SubscribeStream(t.Context(), &pluginv2.SubscribeStreamRequest{PluginContext: c.context, Path: "live/0123456789abcdef01234567", Data: []byte(body)})
		if err != nil || res.Status != want {
			t.Errorf("%s: %v, %v, want %v", body, res, err, want)
		}
	}
	res, err := c.stream.PublishStream(t.Context(), &pluginv2.PublishStreamRequest{PluginContext: c.context, Path: "live/x"})
	if err != nil || res.Status != pluginv2.PublishStreamResponse_PERMISSION_DENIED {
		t.Error("publish:", fmt.Sprint(res, err))
	}
}
