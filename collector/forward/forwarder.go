package forward

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/config"
	"golang.org/x/sync/errgroup"

	"thump/internal/logging"
	"thump/internal/vfs"
)

// Deps are what a forwarder needs of its surroundings.
type Deps struct {
	Dir        string // of the TSDB; positions are kept there too
	FS         vfs.FS // for positions
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Forwarder sends to all destinations of a file.
type Forwarder struct {
	// Static after construction.
	path    string
	deps    Deps
	metrics *metrics
	changed chan struct{} // holds that there is a new configuration

	mu  sync.Mutex
	cfg *config.Config // guarded by mu
}

// New reads the file at path; "" forwards nothing.
func New(path string, deps Deps) (*Forwarder, error) {
	f := &Forwarder{path: path, deps: deps, metrics: newMetrics(deps.Registerer), changed: make(chan struct{}, 1)}
	return f, f.load()
}

func (f *Forwarder) load() error {
	cfg, err := read(f.path, logging.Library(f.deps.Logger))
	if err == nil { // what the file says must lead to a client, before it holds
		for _, rw := range cfg.RemoteWriteConfigs {
			_, e := f.destination(cfg, rw)
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cfg = cfg
	return nil
}

// Reload reads the file again. With an error the old configuration stays.
func (f *Forwarder) Reload() error {
	if err := f.load(); err != nil {
		return err
	}
	select {
	case f.changed <- struct{}{}:
	default:
	}
	return nil
}

// Run forwards until ctx ends.
func (f *Forwarder) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := f.runOnce(ctx); err != nil {
			return err
		}
	}
	return nil
}

// runOnce forwards until ctx ends or the configuration changes.
func (f *Forwarder) runOnce(ctx context.Context) error {
	f.mu.Lock()
	cfg := f.cfg
	f.mu.Unlock()
	ctx, stop := context.WithCancel(ctx)
	var g errgroup.Group
	defer g.Wait()
	defer stop()
	for _, rw := range cfg.RemoteWriteConfigs {
		d, err := f.destination(cfg, rw)
		if err != nil {
			return err
		}
		g.Go(func() error { d.run(ctx); return nil })
	}
	select {
	case <-ctx.Done():
	case <-f.changed:
	}
	return nil
}
