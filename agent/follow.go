package agent

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"thump/agent/command"
	"thump/agent/spool"
	"thump/agent/template"
	"thump/internal/bus"
	"thump/internal/control"
	"thump/internal/telemetry"
	"thump/internal/vfs"
)

const (
	reportEvery = 5 * time.Minute // and its answer says whether the template has changed
	sendWithin  = 5 * time.Second // for the broker to confirm a report
	// Pause before a report that was not answered is repeated, doubled each time.
	firstRepeat = 5 * time.Second
	lastRepeat  = time.Minute

	// ownRevision stands for the template in the agent's own configuration.
	ownRevision  = "own"
	keptTemplate = "template.yaml" // in the agent's folder: the last that was applied
	selfInterval = 10 * time.Second
)

// standing is the template that is applied and what of it is not.
type standing struct {
	revision string
	refused  []control.Refusal
}

// follower keeps an agent to what its servers say: it asks for the template, and
// obeys what comes on the host's own queue.
type follower struct {
	// Static after construction.
	cfg     *Config
	version string
	bus     bus.Bus
	fs      vfs.FS
	log     *slog.Logger
	spooled func() spool.Stats
	inbox   string // reply key of this start

	now atomic.Pointer[standing] // written by run

	// Owned by run.
	crew     *crew
	commands *command.Runner
	tools    *toolbox
	useless  string // revision of a template that could not be read
	asked    string // correlation ID of the last report
	serial   uint64 // of reports
	repeat   time.Duration
	timer    *time.Timer // of the next report
}

func newFollower(cfg *Config, deps *Deps, fs vfs.FS, c *crew, commands *command.Runner, spooled func() spool.Stats) *follower {
	f := &follower{
		cfg: cfg, version: deps.Version, bus: deps.Bus, fs: fs, log: deps.Logger, spooled: spooled, crew: c, commands: commands,
		inbox: control.ReplyKey(c.out.boot), repeat: firstRepeat,
	}
	f.now.Store(&standing{revision: ownRevision})
	return f
}

// applied is what holds now.
func (f *follower) applied() standing { return *f.now.Load() }

// run measures, and follows the servers, until ctx ends.
func (f *follower) run(ctx context.Context) {
	defer f.crew.end()
	defer f.commands.Wait()
	f.resume(ctx)
	f.timer = time.NewTimer(reportEvery)
	defer f.timer.Stop()
	taken := make(chan struct{}, 1)
	deliveries, err := f.bus.Subscribe(ctx, f.subscription(taken))
	if err != nil { // a defect, since the subscription is complete; measuring goes on
		f.log.Error("servers cannot reach this agent", "err", err)
	}
	for {
		select {
		case <-taken: // whatever was said before was not heard
			f.report(ctx)
		case <-f.timer.C:
			f.report(ctx)
		case d := <-deliveries:
			if d == nil { // closed: ctx has ended
				return
			}
			f.obey(ctx, &d.Message)
		case <-ctx.Done():
			return
		}
	}
}

// subscription is the agent's own queue. It holds what a busy agent has not yet
// taken; the oldest goes first.
func (f *follower) subscription(taken chan<- struct{}) bus.Subscription {
	keys := []string{control.AllKey, control.HostKey(f.cfg.Host), f.inbox}
	for _, g := range f.cfg.groups() {
		keys = append(keys, control.GroupKey(g))
	}
	s := bus.Subscription{NoAck: true, Prefetch: 8, Args: bus.Args{"x-max-length": int32(100), "x-overflow": "drop-head"}}
	for _, k := range keys {
		s.Bindings = append(s.Bindings, bus.Binding{Source: telemetry.ControlExchange, Key: k})
	}
	s.Taken = func() {
		select {
		case taken <- struct{}{}:
		default:
		}
	}
	return s
}

// resume starts with the template that was applied last, or else with the
// configuration's.
func (f *follower) resume(ctx context.Context) {
	if f.cfg.TemplateFrom == fromServer {
		text, err := vfs.ReadFile(f.fs, f.kept())
		if err == nil && f.apply(ctx, string(text)) {
			f.log.Info("started with the template that was kept", "revision", f.applied().revision)
			return
		}
	}
	tasks, refused := f.tools.tasks(f.cfg.Template)
	f.now.Store(&standing{revision: ownRevision, refused: refused})
	f.crew.apply(ctx, tasks)
}

func (f *follower) kept() string { return filepath.Join(f.cfg.DataDir, keptTemplate) }

// obey does what a message says, if it is meant for this host.
func (f *follower) obey(ctx context.Context, m *bus.Message) {
	var err error
	switch m.Type {
	case control.TemplateType:
		var t control.Template
		if err = control.Decode(m, &t); err == nil && t.Host == f.cfg.Host {
			f.take(ctx, m, &t)
		}
	case control.BoostType:
		var b control.Boost
		if err = control.Decode(m, &b); err == nil && (b.Host == "" || b.Host == f.cfg.Host) {
			err = f.boost(&b)
		}
	case control.CommandType:
		f.commands.Take(ctx, m)
	}
	if err != nil {
		f.log.Warn("message to this agent not obeyed", "type", m.Type, "err", err)
	}
}

func (f *follower) boost(b *control.Boost) error {
	if err := b.Check(); err != nil {
		return err
	}
	f.crew.boost(b.Probes, b.Interval.D(), time.Now().Add(b.For.D()))
	return nil
}

// take takes a template: an answer, or a change that the server tells of.
func (f *follower) take(ctx context.Context, m *bus.Message, t *control.Template) {
	if m.CorrelationID == f.asked {
		f.repeat = firstRepeat
		f.timer.Reset(jitter(reportEvery))
	}
	if t.Body == "" || t.Revision == f.applied().revision || t.Revision == f.useless || f.cfg.TemplateFrom != fromServer {
		return
	}
	if t.Revision != control.Revision(t.Body) {
		f.log.Warn("template ignored, it is not what its revision says", "revision", t.Revision)
		return
	}
	if f.apply(ctx, t.Body) {
		f.keep(t.Body)
	}
	f.report(ctx)
}

// apply applies a template, or what of it can be applied; false means that it
// cannot be read and the old one stays.
func (f *follower) apply(ctx context.Context, text string) bool {
	revision := control.Revision(text)
	t, refused, err := template.Parse([]byte(text), known())
	if err != nil {
		f.useless = revision
		f.now.Store(&standing{f.applied().revision, []control.Refusal{{Name: "template " + revision, Reason: err.Error()}}})
		f.log.Error("template not applied, the old one stays", "revision", revision, "err", err)
		return false
	}
	tasks, missing := f.tools.tasks(t)
	refused = append(refused, missing...)
	f.now.Store(&standing{revision, refused})
	f.crew.apply(ctx, f.withSelf(tasks))
	f.log.Info("template applied", "revision", revision, "tasks", len(tasks), "refused", len(refused))
	for _, r := range refused {
		f.log.Warn("part of the template refused", "revision", revision, "name", r.Name, "reason", r.Reason)
	}
	return true
}

// withSelf adds the agent's own probe, without which the host would count as silent.
func (f *follower) withSelf(tasks []task) []task {
	for _, t := range tasks {
		if t.probe.Name() == selfName {
			return tasks
		}
	}
	return append(tasks, task{probe: f.tools.probe(selfName), interval: selfInterval, key: f.cfg.Host})
}

func (f *follower) keep(text string) {
	if err := vfs.WriteFile(f.fs, f.kept(), []byte(text)); err != nil {
		f.log.Warn("template not kept on disk, the next start begins with the one before", "err", err)
	}
}

// report says how the agent stands, which asks for the template, and sets the
// timer of the next report, which an answer puts off.
func (f *follower) report(ctx context.Context) {
	f.timer.Reset(jitter(f.repeat))
	f.repeat = min(2*f.repeat, lastRepeat)
	now, s := f.applied(), f.spooled()
	m, err := control.Encode(control.ReportType, telemetry.TemplateQueue, &control.Report{
		Host: f.cfg.Host, Groups: f.cfg.groups(), Labels: f.cfg.Labels,
		Version: f.version, OS: runtime.GOOS, Arch: runtime.GOARCH,
		Revision: now.revision, Refused: now.refused,
		Spool: control.Spool{Batches: s.Batches, Bytes: s.Bytes, Dropped: s.Dropped},
	})
	if err != nil {
		f.log.Error("agent cannot report", "err", err)
		return
	}
	f.serial++
	f.asked = strconv.FormatUint(f.serial, 10)
	m.ReplyTo, m.CorrelationID = f.inbox, f.asked
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	if err := f.bus.Publish(ctx, telemetry.RequestExchange, m); err != nil {
		f.log.Debug("report not sent", "err", err)
	}
}

// jitter draws from three quarters of d to d, so that agents do not ask in step.
func jitter(d time.Duration) time.Duration { return d - rand.N(d/4) }
