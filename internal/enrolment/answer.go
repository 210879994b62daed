package enrolment

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"thump/internal/bus"
	"thump/internal/control"
	"thump/internal/telemetry"
)

const (
	answerWithin = 5 * time.Second // for the broker to take an answer
	// waiting bounds the questions that wait; who is dropped asks again.
	waiting = 1000
)

// inbox hears who joins and who leaves.
func inbox() bus.Subscription {
	return bus.Subscription{
		NoAck: true, Args: bus.Args{"x-max-length": int32(waiting), "x-overflow": "drop-head"},
		Bindings: []bus.Binding{
			{Source: telemetry.EnrolmentExchange, Key: control.JoinKey},
			{Source: telemetry.RequestExchange, Key: control.LeaveKey},
		},
	}
}

// answer takes one question. Who asks is who the broker says it is; a question that
// the broker does not vouch for gets no answer.
func (o *Office) answer(ctx context.Context, m *bus.Message) {
	id, isToken := strings.CutPrefix(m.From, tokenUser)
	host, isHost := strings.CutPrefix(m.From, hostUser)
	switch {
	case m.Type == control.JoinType && isToken:
		o.answerJoin(ctx, m, id)
	case m.Type == control.LeaveType && isHost:
		o.answerLeave(ctx, m, host)
	default:
		o.metrics.asked("other", control.RefusedRequest)
		o.log.Warn("question not understood", "type", m.Type, "from", m.From)
	}
}

func (o *Office) answerJoin(ctx context.Context, m *bus.Message, token string) {
	var j control.Join
	answer, err := (*control.Joined)(nil), control.Decode(m, &j)
	if err == nil {
		answer, err = o.join(token, &j)
	}
	why, text := reason(err)
	o.metrics.asked("join", why)
	if err != nil {
		o.log.Warn("host not let in", "host", j.Host, "token", token, "reason", why, "err", err)
		answer = &control.Joined{Refused: why, Text: text}
	} else {
		o.log.Info("host has joined", "host", j.Host, "token", token, "groups", answer.Groups)
	}
	o.send(ctx, m, answer)
}

func (o *Office) answerLeave(ctx context.Context, m *bus.Message, name string) {
	h, err := o.lockOut(name)
	why, text := reason(err)
	o.metrics.asked("leave", why)
	if err != nil {
		o.log.Warn("host could not leave", "host", name, "err", err)
		o.send(ctx, m, &control.Left{Refused: why, Text: text})
		return
	}
	o.log.Info("host has left", "host", name)
	o.send(ctx, m, &control.Left{})
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, err := o.store.host(name); err == nil { // it was quick to join again, and the login is in use
		return
	}
	if err := o.deps.Accounts.Delete(h.User); err != nil {
		o.log.Warn("login of a host that has left stays, closed", "user", h.User, "err", err)
	}
}

// reason is what the host is told.
func reason(err error) (control.Refused, string) {
	var r *refusalError
	switch {
	case err == nil:
		return "", ""
	case errors.As(err, &r):
		return r.why, r.text
	case errors.Is(err, ErrNotFound):
		return control.RefusedUnknown, "the server does not know this host"
	}
	return control.RefusedServer, "the server could not do it, see its log"
}

// send answers by direct reply-to, which no queue holds.
func (o *Office) send(ctx context.Context, m *bus.Message, v any) {
	answer, err := control.Encode(control.AnswerType, m.ReplyTo, v)
	if err == nil {
		answer.CorrelationID = m.CorrelationID
		ctx, cancel := context.WithTimeout(ctx, answerWithin)
		defer cancel()
		err = o.deps.Bus.Publish(ctx, "", answer)
	}
	if err != nil && !errors.Is(err, bus.ErrUnroutable) { // who asked has gone
		o.log.Warn("not answered", "to", m.From, "err", fmt.Errorf("answer: %w", err))
	}
}
