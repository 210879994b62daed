package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"thump/internal/authority"
	"thump/internal/bus"
	"thump/internal/bus/redis"
	"thump/internal/process"
	"thump/internal/tap"
	"thump/internal/telemetry"
	"thump/internal/vitals"
)

// program is one process: the parts that the command line asked for, opened and
// then run together.
type program struct {
	// Static after construction.
	ctx context.Context // ends when the program is to end
	cfg Config
	job string // label job of what it says of itself
	log *slog.Logger
	reg *prometheus.Registry
	mux *http.ServeMux

	// Added to while the parts are opened, read from then on.
	brokerURL     string // of the broker in this process, if there is one
	managementURL string // of its management API
	authority     *authority.Authority
	buses         []bus.Bus
	tapped        bool // there is a tap
	stages        []process.Stage
	reloads       []func() error
}

func newProgram(ctx context.Context, cfg Config, log *slog.Logger) (*program, error) {
	if err := os.MkdirAll(cfg.Process.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("data folder (--data-dir): %w", err)
	}
	p := &program{ctx: ctx, cfg: cfg, log: log, reg: prometheus.NewRegistry(), mux: http.NewServeMux()}
	p.reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	p.mux.Handle("GET /metrics", promhttp.HandlerFor(p.reg, promhttp.HandlerOpts{}))
	p.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	p.mux.HandleFunc("GET /readyz", p.readyz)
	return p, nil
}

// readyz answers 200 once every part has its link to the broker.
func (p *program) readyz(w http.ResponseWriter, _ *http.Request) {
	for _, b := range p.buses {
		if !b.Connected() {
			http.Error(w, "not connected to the broker", http.StatusServiceUnavailable)
			return
		}
	}
	fmt.Fprintln(w, "ready")
}

// folder is where a part keeps what it keeps. The part makes and locks it.
func (p *program) folder(part string) string { return filepath.Join(p.cfg.Process.DataDir, part) }

// openAuthority returns the authority that vouches for this server, made at the
// first need.
func (p *program) openAuthority() (*authority.Authority, error) {
	if p.authority != nil {
		return p.authority, nil
	}
	a, err := authority.Open(p.ctx, p.folder("authority"), p.cfg.Authority, p.log.With("part", "authority"))
	if err != nil {
		return nil, err
	}
	p.authority = a
	p.reloads = append(p.reloads, a.Reload)
	return a, nil
}

// openBus opens a part's own link to the broker, which makes the exchanges and
// queues of the pipeline and those that this part needs besides.
func (p *program) openBus(part string, more ...bus.Topology) (bus.Bus, error) {
	cfg := p.cfg.Bus
	switch {
	case len(cfg.URLs) > 0:
	case p.brokerURL != "":
		cfg.URLs = []string{p.brokerURL}
	}
	topology := join(append([]bus.Topology{telemetry.Topology()}, more...)...)
	b, err := bus.Open(cfg, bus.Options{
		Name: "thump-" + part, Topology: topology, Logger: p.log.With("part", part), Registerer: p.reg,
		Transports: []bus.Transport{redis.Transport()},
	})
	if err != nil {
		return nil, err
	}
	p.buses = append(p.buses, b)
	p.stage("bus of "+part, b.Run)
	return b, p.openTap(part, b)
}

// join is several topologies as one.
func join(all ...bus.Topology) (out bus.Topology) {
	for _, t := range all {
		out.Exchanges = append(out.Exchanges, t.Exchanges...)
		out.Queues = append(out.Queues, t.Queues...)
		out.Bindings = append(out.Bindings, t.Bindings...)
	}
	return out
}

// openTap opens, once in a process that is more than an agent, the window that a
// pipeline on Redis has for people.
func (p *program) openTap(part string, b bus.Bus) error {
	if p.tapped || part == "agent" || len(p.cfg.Bus.URLs) == 0 || !strings.HasPrefix(p.cfg.Bus.URLs[0], "redis") {
		return nil
	}
	t, err := tap.New(p.cfg.Bus.URLs[0], tap.Deps{Bus: b, Logger: p.log.With("part", "tap"), Registerer: p.reg})
	if err != nil {
		return err
	}
	p.tapped = true
	p.stage("tap", t.Run)
	return nil
}

func (p *program) stage(name string, run func(context.Context) error) {
	p.stages = append(p.stages, process.Stage{Name: name, Run: run})
}

// serveHTTP is the last stage before the agent: it opens the port.
func (p *program) serveHTTP() error {
	s, err := process.NewHTTP(p.cfg.Process.HTTP, "http", p.mux, p.log)
	if err != nil {
		return err
	}
	p.stage("HTTP", func(ctx context.Context) error {
		p.log.Info("listening for HTTP", "url", "http://"+s.Addr().String())
		return s.Run(ctx)
	})
	return nil
}

// reportSelf has the process's own metrics published, over the link of one of its
// parts. An agent alone says of itself what there is to say.
func (p *program) reportSelf() error {
	every := p.cfg.Process.OwnMetrics.D()
	if len(p.buses) == 0 || every <= 0 || p.job == "thump-agent" {
		return nil
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("name of this host: %w", err)
	}
	r := vitals.New(vitals.Config{Job: p.job, Host: host, Interval: every},
		vitals.Deps{Bus: p.buses[0], Gatherer: p.reg, Logger: p.log.With("part", "vitals")})
	p.stage("own metrics", r.Run)
	return nil
}

// run runs what was opened until ctx ends.
func (p *program) run(ctx context.Context) error {
	if err := p.reportSelf(); err != nil {
		return err
	}
	p.stage("reload", p.reloadOnHangup)
	err := process.RunStages(ctx, p.stages)
	if err == nil {
		p.log.Info("ended")
	}
	return err
}

// reloadOnHangup reads rules and configuration of the parts again on SIGHUP.
func (p *program) reloadOnHangup(ctx context.Context) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hangup:
			p.reload()
		}
	}
}

func (p *program) reload() {
	var failed error
	for _, r := range p.reloads {
		failed = errors.Join(failed, r())
	}
	if failed != nil {
		p.log.Error("reload failed, the old configuration stays in force where it did", "err", failed)
		return
	}
	p.log.Info("reloaded")
}
