package live

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"thump/internal/bus"
)

const (
	// pace is the least time between two points: the batches of a host that come
	// together make one.
	pace = 50 * time.Millisecond
	// seedWithin is how long history has to fill in the past of a panel.
	seedWithin = 5 * time.Second
)

// Sender takes the frames of one stream.
type Sender func(*data.Frame) error

// stream is one watched path. All of it is owned by run.
type stream struct {
	live    *Live
	plan    *plan
	watch   *watch
	window  *window
	picture *picture
	send    Sender

	taken  int    // how often the subscription was taken up, of what is known here
	told   string // the trouble that the panel shows
	past   string // why history could not fill in the past
	sentAt time.Time
}

// Run follows a request until ctx ends or the receiver has gone. Whatever is wrong
// is said in the panel, and gets well by itself.
func (l *Live) Run(ctx context.Context, r *Request, send Sender) error {
	p, err := newPlan(r)
	if err == nil && l.cfg.URL == "" {
		err = errors.New("the data source has no AMQP URL, so that nothing is live: give it in its settings")
	}
	if err != nil {
		return complain(ctx, r, err.Error(), send)
	}
	w := newWindow(p)
	s := &stream{live: l, plan: p, watch: newWatch(), window: w, picture: newPicture(l.engine, w), send: send}
	b, err := l.join(s.watch)
	if err != nil {
		return complain(ctx, r, err.Error(), send)
	}
	defer l.leave(s.watch)
	var boosting sync.WaitGroup
	defer boosting.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	boosting.Go(func() { l.boost(ctx, b, p) })
	in, err := b.Subscribe(ctx, s.watch.subscription(p.key))
	if err != nil {
		return err
	}
	err = s.run(ctx, in)
	stop()
	for range in { // until the queue is gone
	}
	return err
}

// complain shows what only another query or another setting mends.
func complain(ctx context.Context, r *Request, text string, send Sender) error {
	p := newPicture(nil, newWindow(&plan{Request: r}))
	f := p.blank()
	f.Meta.Notices = []data.Notice{{Severity: data.NoticeSeverityError, Text: text}}
	if err := send(f); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func (s *stream) run(ctx context.Context, in <-chan *bus.Delivery) error {
	var due <-chan time.Time // nil while nothing is new
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case d, ok := <-in:
			if !ok {
				return ctx.Err()
			}
			if s.take(d) && due == nil {
				due = time.After(time.Until(s.sentAt.Add(s.every())))
			}
		case <-due:
			due = nil
			if err := s.show(ctx); err != nil {
				return err
			}
		case <-s.watch.wake:
			if err := s.look(ctx); err != nil {
				return err
			}
		}
	}
}

func (s *stream) every() time.Duration { return max(time.Duration(s.plan.Every), pace) }

func (s *stream) take(d *bus.Delivery) bool {
	news, err := s.window.take(&d.Message, time.Now())
	if err != nil {
		s.live.log.Debug("message not shown", "key", d.Key, "err", err)
	}
	return news
}

// show sends a point.
func (s *stream) show(ctx context.Context) error {
	s.sentAt = time.Now()
	f, err := s.picture.row(ctx)
	if err != nil {
		s.told = err.Error()
		return s.tell(data.NoticeSeverityError)
	}
	s.told = s.shortfall()
	f.Meta.Notices = notices(data.NoticeSeverityWarning, s.told)
	return s.send(f)
}

// shortfall is what the panel lacks though it goes on.
func (s *stream) shortfall() string {
	switch {
	case s.window.trouble() != "":
		return s.window.trouble()
	case s.picture.cut:
		return "the expression gives more than 1000 series; the rest is left out: aggregate or narrow it"
	}
	return s.past
}

// look takes note of the link: why it is down, or that it is up again.
func (s *stream) look(ctx context.Context) error {
	taken, err := s.watch.look()
	if err != nil {
		s.told = s.live.explain(err)
		return s.tell(data.NoticeSeverityError)
	}
	if taken == s.taken {
		return nil
	}
	s.taken = taken
	s.seed(ctx)
	if s.window.newest == 0 {
		s.told = s.shortfall()
		return s.tell(data.NoticeSeverityWarning)
	}
	return s.show(ctx)
}

// tell sends what is the matter, and no point.
func (s *stream) tell(severity data.NoticeSeverity) error {
	f := s.picture.blank()
	f.Meta.Notices = notices(severity, s.told)
	return s.send(f)
}

func notices(severity data.NoticeSeverity, text string) []data.Notice {
	if text == "" {
		return nil
	}
	return []data.Notice{{Severity: severity, Text: text}}
}

// seed fills the window from history: what was before the queue was there.
func (s *stream) seed(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, seedWithin)
	defer cancel()
	s.past = ""
	now := time.Now()
	for _, ms := range s.plan.selectors {
		m, err := s.live.history.Raw(ctx, selector(ms), s.plan.span, now)
		if err != nil {
			s.past = "the panel begins with what arrives now: " + err.Error()
			return
		}
		s.window.seed(m, now)
	}
}
