package check

import (
	"context"
	"fmt"
	"hash/fnv"
	"time"

	"thump/agent/probe"
)

// Env is what the agent gives its checks.
type Env struct {
	// Slots bounds how many checks run at a time; nil does not.
	Slots *Slots
	// AllowExec is the agent's own word on commands of templates: an error refuses
	// the check. nil allows all.
	AllowExec func(argv []string, user string) error
	// Proc is the mount point of proc on Linux; "" is /proc.
	Proc string
}

// Slots bounds how many checks run at a time.
type Slots struct{ free chan struct{} }

// NewSlots lets n checks run at a time.
func NewSlots(n int) *Slots { return &Slots{make(chan struct{}, max(n, 1))} }

// take waits for a slot and returns how to give it back.
func (s *Slots) take(ctx context.Context) (release func(), err error) {
	if s == nil {
		return func() {}, nil
	}
	select {
	case s.free <- struct{}{}:
		return func() { <-s.free }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for other checks: %w", ctx.Err())
	}
}

// runner does the work of a check. An error means that it could not do all of it;
// with no verdict beside the error the state is unknown.
type runner interface {
	run(ctx context.Context, out *output) (verdict, error)
}

// Check is a probe.Probe that also gives a state.
type Check struct {
	// Static after construction.
	name              string
	interval, timeout time.Duration
	slots             *Slots
	runner            runner

	// Owned by Collect.
	out  *output
	info info
}

// New prepares a check, or tells why it is wrong or this host refuses it.
func New(s Spec, env Env) (*Check, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if env.Proc == "" {
		env.Proc = "/proc"
	}
	r, err := s.kinds()[0].open(&s, env)
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", s.Name, err)
	}
	return &Check{
		name: s.Name, interval: s.interval(), timeout: s.timeout(), slots: env.Slots,
		runner: r, out: newOutput(s.Name, s.outputLabels()),
	}, nil
}

// Name is the word of the routing key: "check-" before the name, so that it
// cannot be that of a probe.
func (c *Check) Name() string { return "check-" + c.name }

// Interval from one run to the next.
func (c *Check) Interval() time.Duration { return c.interval }

// maxSplay bounds how long a check waits for its first run.
const maxSplay = 10 * time.Second

// Splay is how long after its start a check first runs: checks that start together
// do not run together. It depends on the name alone.
func (c *Check) Splay() time.Duration {
	h := fnv.New64a()
	h.Write([]byte(c.name)) // a hash returns no error
	return time.Duration(h.Sum64() % uint64(min(c.interval, maxSplay)))
}

// Collect runs the check. It returns an error if the check could not do its job,
// and nil when it could, whatever it found.
func (c *Check) Collect(ctx context.Context, s *probe.Sink) error {
	release, err := c.slots.take(ctx)
	if err != nil {
		return err
	}
	defer release()
	c.out.begin(s)
	start := time.Now()
	v, err := c.look(ctx)
	s.Add(checkDuration, time.Since(start).Seconds(), c.name)
	s.Add(checkState, float64(v.state), c.name)
	c.info.add(s, c.name, v, start)
	return err
}

// look runs the check within its timeout. What it cannot tell is unknown.
func (c *Check) look(ctx context.Context) (v verdict, err error) {
	defer func() { // here rather than in the caller, which would lose the state
		if r := recover(); r != nil {
			v, err = verdict{unknown, "panic"}, fmt.Errorf("panic: %v", r)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	v, err = c.runner.run(ctx, c.out)
	switch {
	case err != nil && v == (verdict{}):
		v = verdict{unknown, err.Error()}
	case err == nil && c.out.err != nil:
		err = c.out.err
		v.worse(unknown, "%v", err)
	}
	return v, err
}
