package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/mgr"
)

type windowsServices struct{}

// Find returns the service manager that runs, which on this system is Windows's own.
func Find() (Manager, error) { return windowsServices{}, nil }

func (windowsServices) Name() string { return "Windows services" }

func (windowsServices) Install(_ context.Context, p Plan) error {
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("open the service manager: %w", err)
	}
	defer m.Disconnect()
	s, err := m.CreateService(name, p.Program, mgr.Config{
		DisplayName: "thump agent", Description: "Measures this host and publishes what it reads.", StartType: mgr.StartAutomatic,
	}, "run", "--config", p.Config, "--data-dir", p.DataDir)
	if err != nil {
		return fmt.Errorf("create service: %w", err)
	}
	defer s.Close()
	again := []mgr.RecoveryAction{{Type: mgr.ServiceRestart, Delay: 5 * time.Second}}
	if err := s.SetRecoveryActions(again, 24*3600); err != nil {
		return fmt.Errorf("have the service restarted: %w", err)
	}
	return s.Start()
}

// use does something with the service.
func use(do func(*mgr.Service) error) error {
	m, err := mgr.Connect()
	if err != nil {
		return fmt.Errorf("open the service manager: %w", err)
	}
	defer m.Disconnect()
	s, err := m.OpenService(name)
	if err != nil {
		return fmt.Errorf("open service: %w", err)
	}
	defer s.Close()
	return do(s)
}

func (windowsServices) Restart(ctx context.Context) error {
	return use(func(s *mgr.Service) error {
		return errors.Join(stop(ctx, s), s.Start())
	})
}

func (windowsServices) Remove(ctx context.Context) error {
	return use(func(s *mgr.Service) error {
		return errors.Join(stop(ctx, s), s.Delete())
	})
}

// stop ends the service and waits until it has.
func stop(ctx context.Context, s *mgr.Service) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	status, err := s.Query()
	if err == nil && status.State != svc.Stopped {
		status, err = s.Control(svc.Stop)
	}
	for err == nil && status.State != svc.Stopped {
		select {
		case <-time.After(100 * time.Millisecond):
			status, err = s.Query()
		case <-ctx.Done():
			err = fmt.Errorf("service does not stop: %w", ctx.Err())
		}
	}
	return err
}

func (windowsServices) State(context.Context) string {
	words := map[svc.State]string{svc.Stopped: "stopped", svc.StartPending: "starting", svc.StopPending: "stopping", svc.Running: "running", svc.Paused: "paused"}
	state := "not installed"
	_ = use(func(s *mgr.Service) error { // what cannot be asked is not installed
		status, err := s.Query()
		if err == nil {
			state = words[status.State]
		}
		return err
	})
	return state
}

// Run runs the agent, under the service manager if that has started it.
func Run(ctx context.Context, run func(context.Context) error) error {
	managed, err := svc.IsWindowsService()
	if err != nil || !managed {
		return errors.Join(err, run(ctx))
	}
	h := &handler{ctx: ctx, run: run}
	return errors.Join(svc.Run(name, h), h.err)
}

// handler is the service's side of the service manager.
type handler struct {
	ctx context.Context
	run func(context.Context) error
	err error // of run
}

// Execute implements svc.Handler.
func (h *handler) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	const accepted = svc.AcceptStop | svc.AcceptShutdown
	ctx, cancel := context.WithCancel(h.ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- h.run(ctx) }()
	status <- svc.Status{State: svc.Running, Accepts: accepted}
	for {
		select {
		case h.err = <-ended:
			if h.err != nil {
				return true, 1
			}
			return false, 0
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				status <- r.CurrentStatus
			case svc.Stop, svc.Shutdown:
				status <- svc.Status{State: svc.StopPending}
				cancel()
			}
		}
	}
}
