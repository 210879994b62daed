package command

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"thump/agent/child"
	"thump/internal/bus"
	"thump/internal/config"
	"thump/internal/control"
	"thump/internal/telemetry"
	"thump/internal/vfs"
)

const (
	// atATime bounds the commands of a host that run at a time; further ones are refused.
	atATime = 4
	// answerWithin is how long a link that is down is waited for.
	answerWithin = 30 * time.Second
	retryPause   = 200 * time.Millisecond
	seenName     = "commands.json" // in the agent's folder: requests that were taken
)

// Deps are what a Runner works with.
type Deps struct {
	Bus    bus.Bus
	Logger *slog.Logger
	FS     vfs.FS
	Dir    string // the agent's own folder
	Host   string
	Groups []string
}

// Runner takes requests and runs what they ask for.
type Runner struct {
	// Static after construction.
	cfg     Config
	deps    Deps
	log     *slog.Logger
	key     ed25519.PublicKey
	account child.Account

	slots   chan struct{}
	running sync.WaitGroup

	guard *guard // owned by the caller of Take
}

// New checks the configuration. The folder must be there when a request comes.
func New(cfg Config, deps Deps) (*Runner, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	key, err := cfg.key()
	if err != nil {
		return nil, err
	}
	r := &Runner{cfg: cfg, deps: deps, log: deps.Logger, key: key, slots: make(chan struct{}, atATime)}
	if len(cfg.Allow) == 0 {
		return r, nil
	}
	if r.account, err = child.FindAccount(cfg.User); err != nil {
		return nil, err
	}
	r.guard, err = openGuard(deps.FS, filepath.Join(deps.Dir, seenName))
	return r, err
}

// Take takes a request, and has it run if it may be. One goroutine calls it.
func (r *Runner) Take(ctx context.Context, m *bus.Message) {
	c, err := control.Verify(m, r.key)
	if err != nil { // whom to answer is not known either
		r.log.Warn("remote command refused", "err", err)
		return
	}
	if !c.Means(r.deps.Host, r.deps.Groups) {
		return
	}
	log := r.log.With("id", c.ID, "argv", c.Argv)
	argv, err := r.permit(c, time.Now())
	if errors.Is(err, errReplayed) { // the one who asked has had an answer
		log.Warn("remote command refused", "err", err)
		return
	}
	if err == nil {
		err = r.occupy()
	}
	if err != nil {
		log.Warn("remote command refused", "err", err)
		r.running.Go(func() { r.answer(ctx, c, &control.Outcome{State: control.Denied, Reason: err.Error()}) })
		return
	}
	log.Info("remote command taken", "program", argv[0], "user", cmp.Or(r.cfg.User, "the agent's"))
	r.running.Go(func() {
		defer func() { <-r.slots }()
		r.answer(ctx, c, &control.Outcome{State: control.Started})
		out := r.run(ctx, argv, c.Timeout)
		log.Info("remote command ended", "state", out.State, "exit_code", out.ExitCode, "seconds", out.Seconds, "reason", out.Reason)
		r.answer(ctx, c, out)
	})
}

// Wait returns when all that was taken has ended.
func (r *Runner) Wait() { r.running.Wait() }

// permit returns what to run for a request. That it came is noted in any case.
func (r *Runner) permit(c *control.Command, now time.Time) ([]string, error) {
	if r.guard == nil {
		return nil, errors.New("this agent runs no remote commands (agent.commands.allow is empty)")
	}
	if err := r.guard.take(c, now); err != nil {
		return nil, err
	}
	argv, ok := r.cfg.allowed(c.Argv)
	if !ok {
		return nil, errors.New("not allowed by this agent's configuration (agent.commands.allow)")
	}
	return argv, nil
}

func (r *Runner) occupy() error {
	select {
	case r.slots <- struct{}{}:
		return nil
	default:
		return errors.New("busy: as many remote commands as may be run already")
	}
}

// run runs a command to its end, within the shorter of the two timeouts.
func (r *Runner) run(ctx context.Context, argv []string, asked config.Duration) *control.Outcome {
	ctx, cancel := context.WithTimeout(ctx, min(asked, r.cfg.Timeout).D())
	defer cancel()
	limit := int(r.cfg.MaxOutput)
	stdout, stderr := child.Head{Limit: limit}, child.Head{Limit: limit}
	p := child.Program{Argv: argv, Account: r.account}
	start := time.Now()
	code, err := p.Run(ctx, &stdout, &stderr)
	out := &control.Outcome{
		State: control.Done, ExitCode: code, Seconds: time.Since(start).Seconds(), Cut: stdout.Cut || stderr.Cut,
		Stdout: text(&stdout), Stderr: text(&stderr),
	}
	switch {
	case errors.Is(err, child.ErrTime):
		out.State, out.Reason = control.TimedOut, err.Error()
	case err != nil:
		out.State, out.Reason = control.Failed, err.Error()
	}
	return out
}

// text is output as JSON can hold it.
func text(h *child.Head) string { return strings.ToValidUTF8(h.String(), "\uFFFD") }

// answer tells whoever asked, also when the link comes back only after a while.
func (r *Runner) answer(ctx context.Context, c *control.Command, o *control.Outcome) {
	o.Host = r.deps.Host
	m, err := control.Encode(control.OutcomeType, c.ReplyTo, o)
	if err != nil {
		r.log.Error("remote command not answered", "id", c.ID, "err", err)
		return
	}
	m.CorrelationID, m.Identified = c.ID, true
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	for {
		err := r.deps.Bus.Publish(ctx, telemetry.RequestExchange, m)
		if err == nil || errors.Is(err, bus.ErrUnroutable) { // or nobody waits for it any more
			return
		}
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
			r.log.Warn("remote command not answered", "id", c.ID, "err", err)
			return
		}
	}
}
