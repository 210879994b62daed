// Package process is what every program of the project has around its parts: an
// order in which they start and end, and an HTTP listener.
package process

import (
	"context"
	"errors"
	"fmt"
)

// Stage is a part of a program that runs until its context ends.
type Stage struct {
	Name string
	Run  func(ctx context.Context) error
}

// RunStages starts the stages in order. When ctx ends, or one of them does,
// they are ended in the opposite order, each once those after it have returned:
// who writes ends before who keeps. The errors of all are returned.
func RunStages(ctx context.Context, stages []Stage) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	running := make([]*running, len(stages))
	for i, s := range stages {
		running[i] = start(context.WithoutCancel(ctx), s, stop)
	}
	<-ctx.Done()
	var all []error
	for i := len(running) - 1; i >= 0; i-- {
		all = append(all, running[i].end())
	}
	return errors.Join(all...)
}

type running struct {
	cancel context.CancelFunc
	done   chan error // holds the stage's result
}

func start(ctx context.Context, s Stage, ended func()) *running {
	ctx, cancel := context.WithCancel(ctx)
	r := &running{cancel: cancel, done: make(chan error, 1)}
	go func() {
		defer ended()
		if err := s.Run(ctx); err != nil {
			r.done <- fmt.Errorf("%s: %w", s.Name, err)
			return
		}
		r.done <- nil
	}()
	return r
}

func (r *running) end() error {
	r.cancel()
	return <-r.done
}
