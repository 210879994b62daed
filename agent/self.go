package agent

import (
	"context"
	"fmt"
	"runtime"

	"thump/agent/probe"
	"thump/agent/spool"
	"thump/internal/telemetry"
)

// What the agent says of itself.
var (
	up             = probe.NewDesc("up", telemetry.Gauge, "Whether the host reports; the server adds 0 when it falls silent.")
	buildInfo      = probe.NewDesc("thump_agent_build_info", telemetry.Gauge, "What the agent is; always 1.", "arch", "goversion", "os", "version")
	spoolBytes     = probe.NewDesc("thump_agent_spool_bytes", telemetry.Gauge, "Size of the spool on disk.")
	spoolBatches   = probe.NewDesc("thump_agent_spool_batches", telemetry.Gauge, "Batches that the broker has not confirmed yet.")
	droppedBatches = probe.NewDesc("thump_agent_dropped_batches_total", telemetry.Counter, "Batches lost because spool or disk was full.")
	skippedRuns    = probe.NewDesc("thump_agent_skipped_runs_total", telemetry.Counter, "Runs of probes left out because the one before took too long.")
	templateInfo   = probe.NewDesc("thump_agent_template_info", telemetry.Gauge, "The template that is applied; always 1.", "revision")
	refusedEntries = probe.NewDesc("thump_agent_template_refused", telemetry.Gauge, "A part of the template that is not applied; always 1.", "name", "reason")
	processCPU     = probe.NewDesc("process_cpu_seconds_total", telemetry.Counter, "CPU time of the agent's process.")
	processRSS     = probe.NewDesc("process_resident_memory_bytes", telemetry.Gauge, "Memory of the agent's process.")
)

const selfName = "agent"

// self is the probe of the agent itself.
type self struct {
	version string
	stats   func() spool.Stats
	skipped func() uint64
	applied func() standing
}

// Name implements probe.Probe.
func (*self) Name() string { return selfName }

// Collect implements probe.Probe.
func (p *self) Collect(_ context.Context, s *probe.Sink) error {
	s.Add(up, 1)
	s.Add(buildInfo, 1, runtime.GOARCH, runtime.Version(), runtime.GOOS, p.version)
	st := p.stats()
	s.Add(spoolBytes, float64(st.Bytes))
	s.Add(spoolBatches, float64(st.Batches))
	s.Add(droppedBatches, float64(st.Dropped))
	s.Add(skippedRuns, float64(p.skipped()))
	now := p.applied()
	s.Add(templateInfo, 1, now.revision)
	for _, r := range now.refused {
		s.Add(refusedEntries, 1, r.Name, r.Reason)
	}
	cpu, err := cpuSeconds()
	if err != nil {
		return fmt.Errorf("read own CPU time: %w", err)
	}
	s.Add(processCPU, cpu)
	rss, ok, err := residentBytes()
	if err != nil {
		return fmt.Errorf("read own memory: %w", err)
	}
	if ok {
		s.Add(processRSS, rss)
	}
	return nil
}
