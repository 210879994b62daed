//go:build !windows

package service

import "context"

// Run runs the agent. A service manager of this system needs no more than that.
func Run(ctx context.Context, run func(context.Context) error) error { return run(ctx) }
