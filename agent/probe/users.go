package probe

import (
	"context"
	"fmt"

	gops "github.com/shirou/gopsutil/v3/host"
)

var usersLoggedIn = gauge("thump_users_logged_in", "Sessions of users on terminals.")

// users counts who is logged in.
type users struct{ env }

func newUsers(o Options) (Probe, error) { return &users{newEnv(o)}, nil }

// Name implements Probe.
func (*users) Name() string { return "users" }

// Collect implements Probe. A host that keeps no record of sessions has none.
func (p *users) Collect(ctx context.Context, s *Sink) error {
	sessions, err := gops.UsersWithContext(p.with(ctx))
	if absent(err) != nil {
		return fmt.Errorf("read sessions: %w", err)
	}
	s.Add(usersLoggedIn, float64(len(sessions)))
	return nil
}
