// Package child runs programs for the agent: as a given user, with nothing of the
// agent's own environment, with bounds on time and output, and with nothing of them
// left running afterwards.
package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// lingering is how long a process that left the program's group may hold its output.
const lingering = time.Second

// ErrTime is that a program did not end in time and was killed.
var ErrTime = errors.New("did not end in time")

// Program is what is run. It is static after construction.
type Program struct {
	Argv    []string // the program's absolute path and its arguments; no shell reads them
	Account Account
	Env     []string // besides Account.Env
}

// Env is the environment that programs of the account have.
func (a Account) Env() []string { return append(baseEnv(a), a.env()...) }

// Run runs the program to its end or to that of ctx, and ends what it left in its
// process group. It returns the exit code, -1 after a signal.
func (p *Program) Run(ctx context.Context, stdout, stderr *Head) (int, error) {
	err := p.start(ctx, stdout, stderr)
	if ctx.Err() != nil {
		return -1, fmt.Errorf("%s %w", p.Argv[0], ErrTime)
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return -1, fmt.Errorf("run command: %w", err)
	}
	return 0, nil
}

func (p *Program) start(ctx context.Context, stdout, stderr *Head) error {
	cmd := exec.CommandContext(ctx, p.Argv[0], p.Argv[1:]...)
	cmd.Env, cmd.Dir, cmd.WaitDelay = append(p.Account.Env(), p.Env...), rootDir, lingering
	cmd.Stdout, cmd.Stderr = stdout, stderr
	p.Account.confine(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	endGroup(cmd)
	return cmd.Wait()
}

// Head keeps the first Limit bytes written to it and drops the rest.
type Head struct {
	Limit int
	Cut   bool // something was dropped
	buf   bytes.Buffer
}

// Write implements io.Writer.
func (h *Head) Write(b []byte) (int, error) {
	keep := min(len(b), h.Limit-h.buf.Len())
	h.buf.Write(b[:keep]) // a bytes.Buffer returns no error
	h.Cut = h.Cut || keep < len(b)
	return len(b), nil
}

// String is what was kept.
func (h *Head) String() string { return h.buf.String() }
