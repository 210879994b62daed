package main

import (
	"io"
	"strings"
	"testing"
)

// Whom a command is for is said once, before anybody is asked.
func TestExecWantsOneTarget(t *testing.T) {
	for _, args := range [][]string{{"--", "uptime"}, {"--all", "--host", "web01", "--", "uptime"}, {"--group", "web", "--all", "--", "uptime"}} {
		cmd := newExec()
		cmd.SetArgs(args)
		cmd.SetOut(io.Discard)
		cmd.SetErr(io.Discard)
		if err := cmd.Execute(); err == nil || !strings.Contains(err.Error(), "[group host all]") {
			t.Errorf("%q: %v, want an error that names the three flags", args, err)
		}
	}
}
