package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/matcher/compat"
	"github.com/prometheus/alertmanager/pkg/labels"
	"github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/alertmanager/silence/silencepb"
	"github.com/robfig/cron/v3"
	"google.golang.org/protobuf/types/known/timestamppb"

	"thump/internal/config"
	"thump/internal/vfs"
)

// Window is a maintenance window: a silence that comes again. Each time it begins
// a silence of Alertmanager's is made, which ends with it.
type Window struct {
	ID       string          `json:"id"` // given by whoever makes it; in a URL
	Matchers []string        `json:"matchers"`
	Schedule string          `json:"schedule"`  // when it begins: minute hour day month weekday, or @daily, @weekly …
	TimeZone string          `json:"time_zone"` // of the schedule, e.g. Europe/Berlin; UTC if empty
	Duration config.Duration `json:"duration"`
	Comment  string          `json:"comment"`
	By       string          `json:"by"`
	Updated  time.Time       `json:"updated"`

	Active bool       `json:"active"`            // now
	Next   *time.Time `json:"next,omitempty"`    // when it begins again
	Until  *time.Time `json:"until,omitempty"`   // if it is active
	Silent string     `json:"silence,omitempty"` // the silence, if it is active
}

// Bounds of windows.
const (
	maxWindows        = 1_000
	maxWindowDuration = 7 * 24 * time.Hour
	maxMatchers       = 50
)

// ErrNoWindow refuses the name of a window that there is not.
var ErrNoWindow = errors.New("no such maintenance window")

// calendar is the maintenance windows.
type calendar struct {
	silences *silence.Silences // static

	mu      sync.Mutex
	windows map[string]*planned // by ID; guarded by mu
}

// planned is a window that was checked.
type planned struct {
	Window
	matchers labels.Matchers
	starts   cron.Schedule
	zone     *time.Location
	silence  string // ID of the one that was made
	begun    time.Time
}

// check reads a window.
func (w Window) check() (*planned, error) {
	p := &planned{Window: w, zone: time.UTC}
	var err error
	switch {
	case w.ID == "" || strings.ContainsAny(w.ID, "/?# "):
		return nil, fmt.Errorf("window %q: want a name without spaces and slashes", w.ID)
	case len(w.Matchers) == 0 || len(w.Matchers) > maxMatchers:
		return nil, fmt.Errorf("window %s: %d matchers, want 1 to %d, for example instance=\"web01\"", w.ID, len(w.Matchers), maxMatchers)
	case w.Duration.D() < time.Minute || w.Duration.D() > maxWindowDuration:
		return nil, fmt.Errorf("window %s: duration %s, want 1m to %s", w.ID, w.Duration, config.Duration(maxWindowDuration))
	case w.By == "":
		return nil, fmt.Errorf("window %s: by whom?", w.ID)
	}
	for _, m := range w.Matchers {
		match, err := compat.Matcher(m, "window")
		if err != nil {
			return nil, fmt.Errorf("window %s: matcher %s: %w", w.ID, m, err)
		}
		p.matchers = append(p.matchers, match)
	}
	if !slices.ContainsFunc(p.matchers, func(m *labels.Matcher) bool { return !m.Matches("") }) {
		return nil, fmt.Errorf("window %s: want a matcher that an alert without the label does not match: this would silence everything", w.ID)
	}
	if w.TimeZone != "" {
		if p.zone, err = time.LoadLocation(w.TimeZone); err != nil {
			return nil, fmt.Errorf("window %s: time zone: %w", w.ID, err)
		}
	}
	if p.starts, err = cron.ParseStandard(w.Schedule); err != nil || strings.Contains(w.Schedule, "=") || strings.HasPrefix(w.Schedule, "@every") {
		return nil, fmt.Errorf("window %s: schedule %q: want minute hour day month weekday, for example \"0 22 * * 6\" (%v)", w.ID, w.Schedule, err)
	}
	return p, nil
}

// begin is when the window that is open at now began, the last if several
// overlap; zero if none is.
func (p *planned) begin(now time.Time) (last time.Time) {
	from := now.In(p.zone).Add(-p.Duration.D())
	if p.begun.After(from) && !p.begun.After(now) {
		from, last = p.begun.In(p.zone), p.begun
	}
	for next := p.starts.Next(from); !next.IsZero() && !next.After(now); next = p.starts.Next(next) {
		last = next
	}
	return last
}

// shown is the window with what it does at now.
func (p *planned) shown(now time.Time) Window {
	w := p.Window
	if b := p.begin(now); !b.IsZero() {
		end := b.Add(p.Duration.D()).UTC()
		w.Active, w.Until, w.Silent = true, &end, p.silence
	}
	if next := p.starts.Next(now.In(p.zone)); !next.IsZero() {
		next = next.UTC()
		w.Next = &next
	}
	return w
}

// keptWindow is a window on disk.
type keptWindow struct {
	Window
	Silence string    `json:"made,omitempty"`
	Begun   time.Time `json:"begun"`
}

func openCalendar(path string, s *silence.Silences) (*calendar, error) {
	c := &calendar{silences: s, windows: map[string]*planned{}}
	b, err := vfs.ReadFile(vfs.OS{}, path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	var kept []keptWindow
	if err == nil {
		err = json.Unmarshal(b, &kept)
	}
	if err != nil {
		return nil, fmt.Errorf("read maintenance windows from %s: %w", path, err)
	}
	for _, k := range kept {
		p, err := k.check()
		if err != nil {
			return nil, fmt.Errorf("read maintenance windows from %s: %w", path, err)
		}
		p.silence, p.begun = k.Silence, k.Begun
		c.windows[k.ID] = p
	}
	return c, nil
}

func (c *calendar) write(w io.Writer) (int64, error) {
	c.mu.Lock()
	kept := []keptWindow{}
	for _, id := range slices.Sorted(maps.Keys(c.windows)) {
		p := c.windows[id]
		kept = append(kept, keptWindow{p.Window, p.silence, p.begun})
	}
	c.mu.Unlock()
	b, err := json.MarshalIndent(kept, "", " ")
	if err != nil {
		return 0, err
	}
	n, err := w.Write(b)
	return int64(n), err
}

// open makes the silences of the windows that have begun; it tells whether any has.
func (c *calendar) open(ctx context.Context, now time.Time) (changed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.windows {
		begin := p.begin(now)
		if begin.IsZero() || p.begun.Equal(begin) {
			continue
		}
		s := p.made(begin)
		if serr := c.silences.Set(ctx, s); serr != nil {
			err = errors.Join(err, fmt.Errorf("silence of maintenance window %s: %w", p.ID, serr))
			continue
		}
		c.end(ctx, p) // what overlaps: only now, so that there is no moment without a silence
		p.silence, p.begun, changed = s.Id, begin, true
	}
	return changed, err
}

// made is the silence of a window that began at a time.
func (p *planned) made(begin time.Time) *silencepb.Silence {
	set := &silencepb.MatcherSet{}
	for _, m := range p.matchers {
		set.Matchers = append(set.Matchers, &silencepb.Matcher{Name: m.Name, Pattern: m.Value, Type: kinds[m.Type]})
	}
	return &silencepb.Silence{
		MatcherSets: []*silencepb.MatcherSet{set},
		StartsAt:    timestamppb.New(begin), EndsAt: timestamppb.New(begin.Add(p.Duration.D())),
		CreatedBy: p.By, Comment: fmt.Sprintf("maintenance window %s: %s", p.ID, p.Comment),
	}
}

var kinds = map[labels.MatchType]silencepb.Matcher_Type{
	labels.MatchEqual: silencepb.Matcher_EQUAL, labels.MatchNotEqual: silencepb.Matcher_NOT_EQUAL,
	labels.MatchRegexp: silencepb.Matcher_REGEXP, labels.MatchNotRegexp: silencepb.Matcher_NOT_REGEXP,
}

// Windows returns the maintenance windows, by name.
func (n *Notifier) Windows() []Window {
	c := n.calendar
	c.mu.Lock()
	defer c.mu.Unlock()
	all, now := []Window{}, time.Now()
	for _, id := range slices.Sorted(maps.Keys(c.windows)) {
		all = append(all, c.windows[id].shown(now))
	}
	return all
}

// PutWindow makes a maintenance window, or changes the one of the same name.
func (n *Notifier) PutWindow(ctx context.Context, w Window) error {
	w.Updated = time.Now().UTC()
	p, err := w.check()
	if err != nil {
		return err
	}
	c := n.calendar
	c.mu.Lock()
	old := c.windows[w.ID]
	if old == nil && len(c.windows) >= maxWindows {
		c.mu.Unlock()
		return fmt.Errorf("window %s: there are %d already", w.ID, maxWindows)
	}
	c.windows[w.ID] = p
	c.mu.Unlock()
	if old != nil {
		c.end(ctx, old)
	}
	n.planned()
	return n.openWindows(ctx)
}

// DeleteWindow takes a maintenance window away, and the silence that it made.
func (n *Notifier) DeleteWindow(ctx context.Context, id string) error {
	c := n.calendar
	c.mu.Lock()
	old := c.windows[id]
	delete(c.windows, id)
	c.mu.Unlock()
	if old == nil {
		return fmt.Errorf("%w: %q", ErrNoWindow, id)
	}
	c.end(ctx, old)
	n.planned()
	return nil
}

// end ends the silence of a window that goes; it may have ended by itself, or
// somebody has ended it.
func (c *calendar) end(ctx context.Context, p *planned) {
	if p.silence != "" {
		_ = c.silences.Expire(ctx, p.silence)
	}
}

func (n *Notifier) openWindows(ctx context.Context) error {
	changed, err := n.calendar.open(ctx, time.Now())
	if changed {
		n.planned()
	}
	return err
}
