package alerting

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/alert"
	"github.com/prometheus/common/model"
)

const (
	// pastDays is for how many days changes of alerts are kept.
	pastDays = 90
	// pastBytes bounds the changes of one day; further ones of that day are dropped.
	pastBytes = 32 << 20
	// pastAnswer bounds the changes that one request gets: the newest.
	pastAnswer = 10_000
)

// past is what fired when: every change of an alert, in a file of lines of JSON
// for each day (UTC).
type past struct {
	// Static after construction.
	dir     string
	log     *slog.Logger
	dropped func(n int)

	mu   sync.Mutex
	day  string // of file; guarded by mu
	file *os.File
	size int64
}

// Change is one line of the past.
type Change struct {
	At          time.Time      `json:"at"`
	Status      string         `json:"status"` // firing, resolved, acknowledged, unacknowledged
	Labels      model.LabelSet `json:"labels"`
	Annotations model.LabelSet `json:"annotations,omitempty"`
	StartsAt    time.Time      `json:"startsAt"`
	EndsAt      *time.Time     `json:"endsAt,omitempty"` // of one that is resolved
	Fingerprint string         `json:"fingerprint"`
	By          string         `json:"by,omitempty"`   // of an acknowledgement
	Note        string         `json:"note,omitempty"` // of an acknowledgement
}

func openPast(dir string, dropped func(int), log *slog.Logger) (*past, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of past alerts: %w", err)
	}
	return &past{dir: dir, log: log, dropped: dropped}, nil
}

// changeOf is a change of an alert at now.
func changeOf(a *alert.Alert, now time.Time) Change {
	c := Change{
		At: now.UTC(), Status: string(a.StatusAt(now)), Labels: a.Labels, Annotations: a.Annotations,
		StartsAt: a.StartsAt.UTC(), Fingerprint: a.Fingerprint().String(),
	}
	if a.ResolvedAt(now) {
		end := a.EndsAt.UTC()
		c.EndsAt = &end
	}
	return c
}

// add writes changes down.
func (p *past) add(changes ...Change) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range changes {
		if err := p.write(&changes[i]); err != nil {
			p.dropped(1)
			p.log.Error("change of an alert not written down", "err", err)
		}
	}
}

var errDayFull = fmt.Errorf("more than %d bytes of changes today", pastBytes)

// write appends one change. The caller holds mu.
func (p *past) write(c *Change) error {
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := p.turn(c.At.Format(time.DateOnly)); err != nil {
		return err
	}
	if p.size+int64(len(line)) > pastBytes {
		return errDayFull
	}
	n, err := p.file.Write(append(line, '\n'))
	p.size += int64(n)
	return err
}

// turn opens the file of a day, and takes those away that are too old.
func (p *past) turn(day string) error {
	if p.file != nil && p.day == day {
		return nil
	}
	f, err := os.OpenFile(p.path(day), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	size, err := endLine(f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	if p.file != nil {
		err = p.file.Close()
	}
	p.file, p.day, p.size = f, day, size
	return errors.Join(err, p.forget(day))
}

// endLine ends a line that a kill has left unfinished.
func endLine(f *os.File) (size int64, err error) {
	i, err := f.Stat()
	if err != nil || i.Size() == 0 {
		return 0, err
	}
	last := make([]byte, 1)
	if _, err := f.ReadAt(last, i.Size()-1); err != nil || last[0] == '\n' {
		return i.Size(), err
	}
	_, err = f.Write([]byte("\n"))
	return i.Size() + 1, err
}

func (p *past) path(day string) string { return filepath.Join(p.dir, day+".jsonl") }

// forget removes the days before the last pastDays.
func (p *past) forget(today string) error {
	t, err := time.Parse(time.DateOnly, today)
	if err != nil {
		return err
	}
	oldest := p.path(t.AddDate(0, 0, -pastDays).Format(time.DateOnly))
	files, err := filepath.Glob(p.path("*"))
	for _, f := range files {
		if f < oldest {
			err = errors.Join(err, os.Remove(f))
		}
	}
	return err
}

func (p *past) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}

// between returns the changes from one time to another that want wants, oldest
// first: the newest pastAnswer of them.
func (p *past) between(from, to time.Time, want func(*Change) bool) ([]Change, error) {
	all := []Change{}
	if oldest := time.Now().AddDate(0, 0, -pastDays); from.Before(oldest) {
		from = oldest
	}
	from, to = from.UTC(), to.UTC()
	for day := from.Truncate(24 * time.Hour); !day.After(to); day = day.AddDate(0, 0, 1) {
		err := p.read(day.Format(time.DateOnly), func(c *Change) {
			if !c.At.Before(from) && !c.At.After(to) && want(c) {
				all = append(all, *c)
			}
		})
		if err != nil {
			return nil, err
		}
		all = all[max(0, len(all)-pastAnswer):]
	}
	return all, nil
}

// read visits the changes of a day. A line that a kill has left unfinished is
// passed over.
func (p *past) read(day string, visit func(*Change)) error {
	f, err := os.Open(p.path(day))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read past alerts: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c Change
		if json.Unmarshal(lines.Bytes(), &c) == nil {
			visit(&c)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read past alerts: %w", err)
	}
	return nil
}
