package process

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"
)

// HTTP serves a handler on one address.
type HTTP struct {
	listener net.Listener
	server   *http.Server
}

// NewHTTP opens the listener, so that an address in use is an error at once.
// flag names what sets the address.
func NewHTTP(addr, flag string, h http.Handler, log *slog.Logger) (*HTTP, error) {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is in use by another program: end that one or choose another with --%s", addr, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s (--%s): %w", addr, flag, err)
	}
	return NewHTTPOn(l, h, log), nil
}

// NewHTTPOn serves on a listener that is open already.
func NewHTTPOn(l net.Listener, h http.Handler, log *slog.Logger) *HTTP {
	return &HTTP{listener: l, server: &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}}
}

// Addr is the address listened on.
func (s *HTTP) Addr() net.Addr { return s.listener.Addr() }

// drain is how long requests under way may go on after the end was asked for.
const drain = time.Second

// Run serves until ctx ends. Requests see their context end with it, so that
// streams stop, and have a second to finish.
func (s *HTTP) Run(ctx context.Context) error {
	s.server.BaseContext = func(net.Listener) context.Context { return ctx }
	failed := make(chan error, 1)
	go func() { failed <- s.server.Serve(s.listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := s.server.Shutdown(grace); err != nil {
		_ = s.server.Close() // what has not finished is cut
	}
	<-failed
	return nil
}
