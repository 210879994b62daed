package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// check runs `thump check`.
func check(t *testing.T, files ...string) (out, errs string, err error) {
	t.Helper()
	var o, e bytes.Buffer
	cmd := newRoot()
	cmd.SetOut(&o)
	cmd.SetErr(&e)
	cmd.SetArgs(append([]string{"check"}, files...))
	err = cmd.ExecuteContext(t.Context())
	return o.String(), e.String(), err
}

func TestCheckShippedFiles(t *testing.T) {
	files := []string{"thump.yaml", "rules/hosts.yml", "alertmanager.yml", "templates/default.yaml"}
	kinds := []string{"configuration", "alert rules", "alertmanager configuration", "template"}
	var want strings.Builder
	for i := range files {
		files[i] = filepath.Join("../../configs", files[i])
		want.WriteString(files[i] + ": valid " + kinds[i] + "\n")
	}
	out, errs, err := check(t, files...)
	if out != want.String() || errs != "" || err != nil {
		t.Errorf("check prints\n%s%s%v\nwant\n%s", out, errs, err, &want)
	}
}

func TestCheckBadFiles(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", "data_dir: x\nbrokr: {}\n", `:2: unknown key "brokr"`},
		{"bad value", "log:\n  level: loud\n", `: log level "loud" is not one of`},
		{"bad limit", "broker:\n  channel_max: 0\n", `: broker: channel_max 0`},
		{"two errors", "log: {lvel: x}\nhtp: y\n", `:2: unknown key "htp"`},
		{"no YAML", "a: b\n\tc: [\n", `:2: found a tab character`},
		{"a list", "- a\n", `:1: want keys and values`},
		{"rule's expression", "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up ==\n", `:5: group "g", rule 1, "A": could not parse expression`},
		{"rule's key", "groups:\n- name: g\n  rulez: []\n", `:3: unknown key "rulez"`},
		{"group twice", "groups:\n- name: g\n- name: g\n", `: groupname: "g" is repeated`},
		{"alertmanager's key", "route: {receiver: a}\nreceivers:\n- name: a\n  webhok_configs: []\n", `:4: unknown key "webhok_configs"`},
		{"alertmanager's receiver", "route: {receiver: b}\nreceivers: [{name: a}]\n", `: undefined receiver "b"`},
		{"alertmanager without a route", "receivers: [{name: a}]\n", `: no route`},
		{"template's key", "match: {hosts: [web*]}\nprobs: []\nprobes: []\n", `:2: unknown key "probs"`},
		{"template's probe", "probes:\n- {name: cpu, interval: 10s}\n- {name: nonesuch, interval: 10s}\n", `:3: probe nonesuch`},
		{"template's pattern", "match: {hosts: ['[']}\n", `: match: bad pattern`},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "x.yml")
			if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			out, errs, err := check(t, file)
			if err == nil || exitCode(err) != 1 {
				t.Errorf("check ends with %v", err)
			}
			if out != "" || !strings.Contains("\n"+errs, "\n"+file+c.want) {
				t.Errorf("check prints\n%s%s\nwant\n%s%s", out, errs, file, c.want)
			}
			for l := range strings.Lines(errs) {
				if strings.Count(l, file) != 1 || !strings.HasPrefix(l, file+":") {
					t.Errorf("the line does not name the file once, and first: %s", l)
				}
			}
		})
	}
}

// TestCheckGoesOn: a bad file, or none, does not keep the next from being
// checked.
func TestCheckGoesOn(t *testing.T) {
	dir := t.TempDir()
	missing, good := filepath.Join(dir, "missing.yml"), filepath.Join(dir, "good.yml")
	if err := os.WriteFile(good, []byte("groups: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, err := check(t, missing, good)
	if out != good+": valid alert rules\n" || !strings.HasPrefix(errs, missing+": no such file") {
		t.Errorf("check prints\n%s%s", out, errs)
	}
	if err == nil || err.Error() != "1 of 2 files bad" {
		t.Errorf("check ends with %v", err)
	}
}
