package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"thump/agent/command"
	"thump/agent/probe"
	"thump/agent/spool"
	"thump/internal/bus"
	"thump/internal/vfs"
)

// syncDelay bounds what a power cut can take of the batches that are not confirmed.
const syncDelay = time.Second

// Deps are what an agent works with.
type Deps struct {
	// Bus must outlive Run, so that what is in flight when Run ends can be confirmed.
	Bus        bus.Bus
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Version of the program, for thump_agent_build_info.
	Version string
}

// Agent measures this host and publishes what it reads.
type Agent struct {
	// Static after construction.
	log       *slog.Logger
	spool     *spool.Spool
	publisher *publisher
	follower  *follower
}

// New opens the spool, alone, and prepares the probes.
func New(cfg Config, deps Deps) (*Agent, error) {
	probes, err := probe.All(probe.Options{})
	if err != nil {
		deps.Logger.Warn("probe not available", "err", err)
	}
	return newAgent(cfg, deps, vfs.OS{}, probes)
}

func newAgent(cfg Config, deps Deps, fs vfs.FS, probes []probe.Probe) (*Agent, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	sp, err := spool.Open(cfg.DataDir, spool.Options{FS: fs, MaxBytes: int64(cfg.SpoolSize), Logger: deps.Logger})
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	commands, err := command.New(cfg.Commands, command.Deps{
		Bus: deps.Bus, Logger: deps.Logger, FS: fs, Dir: cfg.DataDir, Host: cfg.Host, Groups: cfg.groups(),
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("agent: %w", err), sp.Close())
	}
	m := newMetrics(deps.Registerer, sp.Stats)
	a := &Agent{log: deps.Logger, spool: sp}
	a.publisher = newPublisher(deps.Bus, sp, cfg.BacklogRate, deps.Logger, m)
	c := newCrew(&cfg, newOutbox(&cfg, sp, a.publisher), deps.Logger, m)
	a.follower = newFollower(&cfg, &deps, fs, c, commands, sp.Stats)
	own := &self{version: deps.Version, stats: sp.Stats, skipped: m.allSkipped.Load, applied: a.follower.applied}
	a.follower.tools = newToolbox(&cfg, append(probes, own))
	return a, nil
}

// Run measures and publishes until ctx ends; then it takes up to two seconds for
// what is in flight. What the broker has not confirmed stays in the spool.
func (a *Agent) Run(ctx context.Context) error {
	sending, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var publishing, measuring sync.WaitGroup
	publishing.Go(func() { a.publisher.run(sending) })
	measuring.Go(func() { a.follower.run(ctx) })
	measuring.Go(func() { a.syncSpool(ctx) })
	measuring.Wait()
	stop() // what was measured last is still sent
	publishing.Wait()
	if err := a.spool.Close(); err != nil {
		return fmt.Errorf("close spool: %w", err)
	}
	return nil
}

// syncSpool syncs the spool a while after something was appended; by then most
// of it has been confirmed, and if all has, nothing is written.
func (a *Agent) syncSpool(ctx context.Context) {
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-a.spool.Unsynced():
		case <-ctx.Done():
			return
		}
		t.Reset(syncDelay)
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		if err := a.spool.Sync(); err != nil {
			a.log.Warn("spool not synced", "err", err)
		}
	}
}
