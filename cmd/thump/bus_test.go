package main

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"

	"thump/internal/telemetry"
)

func TestBusSetupPrints(t *testing.T) {
	var out bytes.Buffer
	root := newRoot()
	root.SetOut(&out)
	root.SetArgs([]string{"bus", "setup", "--print", "--bus-queue-type", "quorum"})
	if err := root.ExecuteContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Queues []struct {
			Name      string
			Arguments map[string]any
		}
		Exchanges, Bindings []map[string]any
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v:\n%s", err, out.String())
	}
	var names []string
	for _, q := range got.Queues {
		if names = append(names, q.Name); q.Arguments["x-queue-type"] != "quorum" {
			t.Errorf("queue %s has arguments %v", q.Name, q.Arguments)
		}
	}
	for _, want := range []string{telemetry.HistoryQueue, telemetry.AlertingQueue, telemetry.RejectedQueue, telemetry.OTLPQueue} {
		if !slices.Contains(names, want) {
			t.Errorf("no queue %s in %v", want, names)
		}
	}
	if len(got.Exchanges) < 5 || len(got.Bindings) < 5 {
		t.Errorf("%d exchanges, %d bindings", len(got.Exchanges), len(got.Bindings))
	}
}
