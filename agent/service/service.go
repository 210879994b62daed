package service

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// name of the service.
const name = "thump-agent"

// Plan is what the service is to run.
type Plan struct {
	Program string // the agent's binary
	Config  string
	DataDir string
	Unit    []byte // systemd's unit as it ships
}

// Manager is a system's service manager.
type Manager interface {
	// Name is what people call it.
	Name() string
	// Install makes the service, has it start with the system, and starts it.
	Install(ctx context.Context, p Plan) error
	// Restart ends the service and starts it again.
	Restart(ctx context.Context) error
	// Remove ends the service and removes it.
	Remove(ctx context.Context) error
	// State is the manager's word for how the service is.
	State(ctx context.Context) string
}

// ErrNone is that no service manager runs that the agent knows.
var ErrNone = errors.New("no service manager that thump-agent knows runs here")

// patience bounds one call of a service manager's program.
const patience = time.Minute

// call runs a program of the service manager; an error says what it printed.
func call(ctx context.Context, argv ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return text, fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, text)
	}
	return text, nil
}
