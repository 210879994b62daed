package alerting_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"thump/alerting"
)

func content(s, by string) string {
	b, _ := json.Marshal(map[string]string{"content": s, "by": by, "note": "a test"})
	return string(b)
}

// TestEditFiles edits rules and routes by the API: they are in force at once and
// after a restart, bad ones change nothing, and each change can be undone.
func TestEditFiles(t *testing.T) {
	t.Parallel()
	b, hook := newMemory(), newWebhook(t)
	s := newSetup(t, b, "", "") // what ships
	p := s.start(t)
	var files []alerting.File
	p.ask(t, http.MethodGet, "/api/alerts/files", "", http.StatusOK, &files)
	if len(files) != 2 || files[0].Name != "alertmanager.yml" || files[1].Name != "hosts.yml" || !files[0].Shipped || !files[1].Shipped {
		t.Fatalf("files %+v", files)
	}
	var rev alerting.Revision
	p.ask(t, http.MethodPut, "/api/alerts/files/alertmanager.yml", content(routes(hook.URL), "ann"), http.StatusOK, &rev)
	p.ask(t, http.MethodPut, "/api/alerts/files/busy.yml", content(busyRule, "bob"), http.StatusOK, &rev)
	newAgent(t, b, "web01", time.Minute).publish("cpu", "busy", 97)
	hook.next(t, patience, "firing", "Busy", "web01")

	bad := []struct{ name, content, want string }{
		{"busy.yml", strings.Replace(busyRule, "busy > 90", "busy > > 90", 1), "busy.yml: 7:15: "},
		{"alertmanager.yml", strings.Replace(routes(hook.URL), "receiver: hook", "reciever: hook", 1), `alertmanager.yml: line 2: unknown key \"reciever\"`},
		{"..%2Fbusy.yml", busyRule, "want a name like"},
		{"busy.txt", busyRule, "want a name like"},
	}
	for _, c := range bad {
		if got := p.ask(t, http.MethodPut, "/api/alerts/files/"+c.name, content(c.content, "eve"), http.StatusUnprocessableEntity, nil); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	left, err := filepath.Glob(filepath.Join(s.cfg.DataDir, "*.check"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}

	p.stop()
	p = s.start(t)
	newAgent(t, b, "web02", time.Minute).publish("cpu", "busy", 97)
	hook.next(t, patience, "firing", "Busy", "web02")
	p.ask(t, http.MethodPut, "/api/alerts/files/busy.yml", content(strings.Replace(busyRule, "90", "10", 1), "eve"), http.StatusOK, &rev)
	if rev.By != "eve" || rev.ID != 3 || rev.Before == nil || *rev.Before != busyRule {
		t.Errorf("revision %+v", rev)
	}
	p.ask(t, http.MethodPost, "/api/alerts/revisions/"+strconv.Itoa(rev.ID)+"/undo?by=ann", "", http.StatusOK, &rev)
	var f alerting.File
	p.ask(t, http.MethodGet, "/api/alerts/files/busy.yml", "", http.StatusOK, &f)
	if onDisk, err := os.ReadFile(f.Path); err != nil || f.Content != busyRule || string(onDisk) != busyRule {
		t.Errorf("undone: %s", f.Content)
	}
	p.ask(t, http.MethodDelete, "/api/alerts/files/busy.yml?by=ann", "", http.StatusOK, nil)
	p.ask(t, http.MethodGet, "/api/alerts/files/busy.yml", "", http.StatusNotFound, nil)
	var revs []alerting.Revision
	p.ask(t, http.MethodGet, "/api/alerts/revisions?file=busy.yml", "", http.StatusOK, &revs)
	var who []string
	for _, r := range revs {
		who = append(who, r.By)
	}
	if got := strings.Join(who, " "); got != "ann ann eve bob" {
		t.Errorf("changed by %s, want the newest first: ann ann eve bob", got)
	}
	// Each name that is taken is read.
	p.ask(t, http.MethodPut, "/api/alerts/files/busy.rules", content(busyRule, "ann"), http.StatusOK, nil)
	newAgent(t, b, "web03", time.Minute).publish("cpu", "busy", 97)
	hook.next(t, patience, "firing", "Busy", "web03")
	p.ask(t, http.MethodDelete, "/api/alerts/files/busy.rules", "", http.StatusOK, nil)
	// What ships can be replaced, and is there again when the replacement goes.
	p.ask(t, http.MethodPut, "/api/alerts/files/hosts.yml", content("groups: []\n", "ann"), http.StatusOK, nil)
	p.ask(t, http.MethodGet, "/api/alerts/files/hosts.yml", "", http.StatusOK, &f)
	if f.Shipped || f.Content != "groups: []\n" {
		t.Errorf("replaced: %+v", f)
	}
	p.ask(t, http.MethodDelete, "/api/alerts/files/hosts.yml", "", http.StatusOK, nil)
	p.ask(t, http.MethodGet, "/api/alerts/files/hosts.yml", "", http.StatusOK, &f)
	if !f.Shipped || !strings.Contains(f.Content, "HostSilent") {
		t.Errorf("shipped again: %+v", f)
	}
}
