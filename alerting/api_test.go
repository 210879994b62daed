package alerting_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"thump/alerting"
	"thump/alerting/notify"
)

// ask sends JSON and reads the answer; the code must be want.
func (p *process) ask(t *testing.T, method, path, ask string, want int, into any) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.URL+path, strings.NewReader(ask))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != want {
		t.Fatalf("%s %s: %s %v\n%s\nwant %d", method, path, r.Status, err, b, want)
	}
	if into != nil {
		if err := json.NewDecoder(bytes.NewReader(b)).Decode(into); err != nil {
			t.Fatalf("%s %s: %v\n%s", method, path, err, b)
		}
	}
	return string(b)
}

// alert is an active alert as alerting's own API shows it; zero if there is none.
func (p *process) alert(t *testing.T, name, instance string) alerting.State {
	t.Helper()
	var all []alerting.State
	p.ask(t, http.MethodGet, "/api/alerts", "", http.StatusOK, &all)
	for _, s := range all {
		if string(s.Labels["alertname"]) == name && string(s.Labels["instance"]) == instance {
			return s
		}
	}
	return alerting.State{}
}

// TestAcknowledge: what is acknowledged is not repeated; that it ends is told, and
// when it fires again it is told anew. All of it is in the history.
func TestAcknowledge(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	s := newSetup(t, b, busyRule, strings.NewReplacer("repeat_interval: 1h", "repeat_interval: 1s", "group_interval: 100ms", "group_interval: 500ms").Replace(routes(hook.URL)))
	p := s.start(t)
	a := newAgent(t, b, "web01", time.Minute)
	a.publish("cpu", "busy", 97)
	hook.next(t, patience, "firing", "Busy", "web01")
	hook.next(t, patience, "firing", "Busy", "web01") // repeated
	fp := p.alert(t, "Busy", "web01").Fingerprint
	p.ask(t, http.MethodPut, "/api/alerts/acks/"+fp, `{"by":"ann","note":"on it"}`, http.StatusOK, nil)
	time.Sleep(600 * time.Millisecond) // one may be on its way
	for len(hook.hits) > 0 {
		<-hook.hits
	}
	hook.quiet(t, 2*time.Second)
	p.stop()
	p = s.start(t) // it is on disk
	a.publish("cpu", "busy", 98)
	hook.quiet(t, 2*time.Second)
	if got := p.alert(t, "Busy", "web01"); got.Ack == nil || got.Ack.By != "ann" || got.Ack.Note != "on it" || got.State != "firing" {
		t.Errorf("acknowledged alert: %+v", got)
	}
	a.publish("cpu", "busy", 20)
	hook.next(t, patience, "resolved", "Busy", "web01")
	a.publish("cpu", "busy", 99)
	hook.next(t, patience, "firing", "Busy", "web01")
	if got := p.alert(t, "Busy", "web01"); got.Ack != nil {
		t.Errorf("fires again and is acknowledged: %+v", got.Ack)
	}
	p.ask(t, http.MethodPut, "/api/alerts/acks/0123456789abcdef", `{"by":"ann"}`, http.StatusNotFound, nil)

	var past []alerting.Change
	p.ask(t, http.MethodGet, "/api/alerts/history?host=web01", "", http.StatusOK, &past)
	var got []string
	for _, c := range past {
		got = append(got, c.Status)
	}
	if want := "firing acknowledged resolved firing"; strings.Join(got, " ") != want {
		t.Errorf("history %v, want %s", got, want)
	}
	p.ask(t, http.MethodGet, "/api/alerts/history?host=web02", "", http.StatusOK, &past)
	if len(past) != 0 {
		t.Errorf("history of another host: %v", past)
	}
	p.ask(t, http.MethodGet, "/api/alerts/history?from=yesterday", "", http.StatusBadRequest, nil)
}

func TestPreviewAndTrial(t *testing.T) {
	t.Parallel()
	hook := newWebhook(t)
	broken := strings.ReplaceAll(routes(hook.URL), "receivers:\n", "receivers:\n  - name: broken\n    webhook_configs: [{url: 'http://127.0.0.1:1/'}]\n")
	broken = strings.Replace(broken, "repeat_interval: 1h", `repeat_interval: 1h, routes: [{matchers: ['severity="page"'], receiver: broken, continue: true}, {matchers: ['team="x"'], receiver: hook}]`, 1)
	p := newSetup(t, newMemory(), busyRule, broken).start(t)
	var got notify.Preview
	p.ask(t, http.MethodPost, "/api/alerts/preview", `{"labels":{"alertname":"Busy","severity":"page","team":"x"}}`, http.StatusOK, &got)
	if len(got.Ways) != 2 || got.Ways[0].Receiver != "broken" || got.Ways[1].Receiver != "hook" || got.Silenced || got.Inhibited {
		t.Errorf("preview %+v, want broken and hook", got)
	}
	var trials []notify.Trial
	p.ask(t, http.MethodPost, "/api/alerts/test/hook", "", http.StatusOK, &trials)
	if len(trials) != 1 || trials[0].Error != "" || !strings.Contains(trials[0].Integration, "webhook") {
		t.Errorf("trial %+v", trials)
	}
	hook.next(t, patience, "firing", "ThumpTest", "example")
	p.ask(t, http.MethodPost, "/api/alerts/test/broken", "", http.StatusOK, &trials)
	if len(trials) != 1 || !strings.Contains(trials[0].Error, "connection refused") {
		t.Errorf("trial %+v, want it refused", trials)
	}
	p.ask(t, http.MethodPost, "/api/alerts/test/nobody", "", http.StatusNotFound, nil)
}

// TestWindow: a maintenance window that is open now silences, again after a
// restart, and no longer once it is taken away.
func TestWindow(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	s := newSetup(t, b, busyRule, routes(hook.URL))
	p := s.start(t)
	// Every minute for five: always open.
	p.ask(t, http.MethodPut, "/api/alerts/windows/nightly", `{"matchers":["group=\"g\""],"schedule":"* * * * *","time_zone":"Europe/Berlin","duration":"5m","comment":"backup","by":"ann"}`, http.StatusOK, nil)
	a := newAgent(t, b, "web01", time.Minute)
	a.publish("cpu", "busy", 97)
	eventually(t, "it fires, silenced", func() bool { return p.alert(t, "Busy", "web01").Silenced })
	hook.quiet(t, time.Second)
	var windows []notify.Window
	p.ask(t, http.MethodGet, "/api/alerts/windows", "", http.StatusOK, &windows)
	if len(windows) != 1 || !windows[0].Active || windows[0].By != "ann" || windows[0].Next == nil || windows[0].Silent == "" {
		t.Errorf("windows %+v", windows)
	}
	p.stop()
	p = s.start(t)
	p.ask(t, http.MethodGet, "/api/alerts/windows", "", http.StatusOK, &windows)
	if len(windows) != 1 || !windows[0].Active {
		t.Errorf("windows after a restart %+v", windows)
	}
	a.publish("cpu", "busy", 98)
	hook.quiet(t, time.Second)
	p.ask(t, http.MethodDelete, "/api/alerts/windows/nightly", "", http.StatusOK, nil)
	p.ask(t, http.MethodDelete, "/api/alerts/windows/nightly", "", http.StatusNotFound, nil)
	if p.alert(t, "Busy", "web01").Silenced {
		var silences []struct{ Status struct{ State string } }
		p.get(t, "/api/v2/silences", &silences)
		t.Errorf("silenced although the window is gone: %+v", silences)
	}
	for _, bad := range []string{
		`{"matchers":[],"schedule":"@daily","duration":"1h","by":"a"}`,
		`{"matchers":["a=~\".*\""],"schedule":"@daily","duration":"1h","by":"a"}`,
		`{"matchers":["a=b"],"schedule":"daily","duration":"1h","by":"a"}`,
		`{"matchers":["a=b"],"schedule":"@daily","duration":"1s","by":"a"}`,
		`{"matchers":["a=b"],"schedule":"@daily","duration":"1h","by":"a","time_zone":"Mars"}`,
	} {
		p.ask(t, http.MethodPut, "/api/alerts/windows/bad", bad, http.StatusUnprocessableEntity, nil)
	}
}
