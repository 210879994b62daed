package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"thump/internal/bus"
	"thump/internal/control"
)

// What is said of hosts that have not answered.
const (
	notConnected control.State = "not_connected"
	noAnswer     control.State = "no_answer"
)

// tally is who has answered, and who has yet to.
type tally struct {
	screen  *screenOf
	waiting map[string]control.State // by host; started, or "" before
	failed  bool                     // for one of them at least
}

func newTally(expected []string, s *screenOf) *tally {
	t := &tally{screen: s, waiting: map[string]control.State{}}
	for _, h := range expected {
		t.waiting[h] = ""
	}
	return t
}

func (t *tally) complete() bool { return len(t.waiting) == 0 }

// take takes an answer to the request of that ID. A host that has joined answers in
// its own name only: the broker says who sends.
func (t *tally) take(m *bus.Message, id string) error {
	var o control.Outcome
	if err := control.Decode(m, &o); err != nil {
		return err
	}
	if host, joined := strings.CutPrefix(m.From, "agent."); joined && host != o.Host {
		return fmt.Errorf("host %s answers as %s", host, o.Host)
	}
	if m.CorrelationID != id || m.Type != control.OutcomeType {
		return errors.New("not an answer to this request")
	}
	t.note(&o)
	return nil
}

// note shows what is known of a host, once.
func (t *tally) note(o *control.Outcome) {
	if _, wait := t.waiting[o.Host]; !wait {
		return
	}
	if o.State == control.Started {
		t.waiting[o.Host] = control.Started
		return
	}
	delete(t.waiting, o.Host)
	t.failed = t.failed || o.State != control.Done || o.ExitCode != 0
	t.screen.show(o)
}

// end gives up on those that have not answered.
func (t *tally) end() {
	var left []string
	for h := range t.waiting {
		left = append(left, h)
	}
	slices.Sort(left)
	for _, h := range left {
		o := control.Outcome{Host: h, State: noAnswer, Reason: "connected, but it does not answer: does its agent know this server's key (agent.commands.key)?"}
		if t.waiting[h] == control.Started {
			o.State, o.Reason = control.TimedOut, "started, and not heard of since"
		}
		t.note(&o)
	}
}

func (t *tally) result() error {
	if t.screen.err != nil {
		return fmt.Errorf("write the answers: %w", t.screen.err)
	}
	if t.failed {
		return errSomeFailed
	}
	return nil
}

// screenOf shows answers as they come. It keeps the first error.
type screenOf struct {
	out    io.Writer
	asJSON bool
	err    error
}

func (s *screenOf) show(o *control.Outcome) {
	text := []byte(words(o))
	if s.asJSON {
		var err error
		if text, err = json.Marshal(o); err != nil {
			s.err = errors.Join(s.err, err)
			return
		}
		text = append(text, '\n')
	}
	if _, err := s.out.Write(text); err != nil && s.err == nil {
		s.err = err
	}
}

// words are a line on the host and its output below, indented: nothing that a host
// prints looks like the line of another.
func words(o *control.Outcome) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", printable(o.Host))
	switch o.State {
	case control.Done:
		fmt.Fprintf(&b, "exit code %d (%.1f s)", o.ExitCode, o.Seconds)
	default:
		b.WriteString(strings.ReplaceAll(string(o.State), "_", " "))
	}
	if o.Reason != "" {
		b.WriteString(": " + printable(o.Reason))
	}
	b.WriteString("\n")
	for _, part := range []struct{ mark, text string }{{"  ", o.Stdout}, {"! ", o.Stderr}} {
		for line := range strings.Lines(part.text) {
			b.WriteString(part.mark + printable(strings.TrimRight(line, "\r\n")) + "\n")
		}
	}
	if o.Cut {
		b.WriteString("  … (there was more)\n")
	}
	return b.String()
}

// printable keeps what a host says from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && (r < ' ' || r >= 0x7f && r < 0xa0) {
			return '\uFFFD'
		}
		return r
	}, s)
}
