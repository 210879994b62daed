package dashboard

import (
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"time"
)

// figure is a number for people: six digits, null if it is not finite.
type figure float64

// MarshalJSON implements json.Marshaler.
func (f figure) MarshalJSON() ([]byte, error) { return appendNumber(nil, float64(f), 6), nil }

func appendNumber(b []byte, v float64, digits int) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, v, 'g', digits, 64)
}

// row is a host as the overview shows it.
type row struct {
	Name     string     `json:"name"`
	Group    string     `json:"group"`
	Seen     int64      `json:"seen"`
	Interval int64      `json:"interval"`
	Silent   bool       `json:"silent"`
	CPU      figure     `json:"cpu"`
	Memory   figure     `json:"memory"`
	Disk     figure     `json:"disk"`
	DiskAt   string     `json:"disk_at"`
	Load     figure     `json:"load"`
	Cores    int        `json:"cores"`
	Receive  figure     `json:"receive"`
	Transmit figure     `json:"transmit"`
	Spark    *sparkLine `json:"spark,omitempty"`
}

type sparkLine struct {
	End  int64    `json:"end"`
	Step int64    `json:"step"`
	CPU  []figure `json:"cpu"`
}

func (h *host) row() row {
	g := &h.glance
	return row{
		Name: h.name, Group: h.group, Silent: h.silent,
		Seen: h.seen.UnixMilli(), Interval: h.interval().Milliseconds(),
		CPU: figure(g.cpu), Memory: figure(g.memory), Disk: figure(g.disk), DiskAt: g.diskAt,
		Load: figure(g.load), Cores: g.cores, Receive: figure(g.receive), Transmit: figure(g.transmit),
	}
}

func (h *host) rowWithSpark() row {
	r := h.row()
	if values, end := h.glance.spark.list(); values != nil {
		r.Spark = &sparkLine{End: end.UnixMilli(), Step: sparkStep.Milliseconds(), CPU: values}
	}
	return r
}

func rowsOf(hosts ...*host) rowsEvent {
	rows := make([]row, len(hosts))
	for i, h := range hosts {
		rows[i] = h.row()
	}
	return rowsEvent{rows}
}

// Data of the events; see the package's documentation.
type (
	rowsEvent struct {
		Hosts []row `json:"hosts"`
	}
	linkEvent struct {
		Up bool `json:"up"`
	}
	pulseEvent struct {
		Now     int64  `json:"now"`
		Samples figure `json:"samples_per_second"`
		Hosts   int    `json:"hosts"`
	}
	overviewSnapshot struct {
		Now   int64 `json:"now"`
		Link  bool  `json:"link"`
		Hosts []row `json:"hosts"`
	}
	hostSnapshot struct {
		Now       int64             `json:"now"`
		Link      bool              `json:"link"`
		Host      *row              `json:"host"`
		Intervals map[string]int64  `json:"intervals"`
		Series    []json.RawMessage `json:"series"`
	}
)

func (f *fleet) pulse(now time.Time) pulseEvent {
	return pulseEvent{Now: now.UnixMilli(), Samples: figure(f.rate.perSecond(now)), Hosts: len(f.hosts)}
}

// snapshot is everything that a browser needs to begin with.
func (f *fleet) snapshot(name string, link bool, now time.Time) any {
	if name != allHosts {
		return f.hostSnapshot(name, link, now)
	}
	s := overviewSnapshot{Now: now.UnixMilli(), Link: link, Hosts: make([]row, 0, len(f.hosts))}
	for _, h := range f.hosts {
		s.Hosts = append(s.Hosts, h.rowWithSpark())
	}
	return s
}

func (f *fleet) hostSnapshot(name string, link bool, now time.Time) hostSnapshot {
	s := hostSnapshot{Now: now.UnixMilli(), Link: link, Intervals: map[string]int64{}, Series: []json.RawMessage{}}
	h := f.hosts[name]
	if h == nil {
		return s
	}
	r := h.row()
	s.Host = &r
	for probe, every := range h.probes {
		s.Intervals[probe] = every.Milliseconds()
	}
	for _, one := range h.series {
		b := append([]byte{'['}, one.definition...)
		b = strconv.AppendInt(append(b, ','), one.last.Time, 10)
		b = appendNumber(append(b, ','), one.last.Value, -1)
		s.Series = append(s.Series, append(b, ']'))
	}
	return s
}

// update is what one message changed on its host.
type update struct {
	host   *host
	probe  string
	fresh  []*series // not told to anyone before
	points []point
}

func (u *update) reset(h *host, probe string) {
	u.host, u.probe, u.fresh, u.points = h, probe, u.fresh[:0], u.points[:0]
}

// frames yields the data of one samples event for each time in the message,
// which as a rule has one.
func (u *update) frames() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		slices.SortStableFunc(u.points, func(a, b point) int { return int(a.Time - b.Time) })
		fresh := u.fresh
		for rest := u.points; len(rest) > 0; {
			n := slices.IndexFunc(rest, func(p point) bool { return p.Time != rest[0].Time })
			if n < 0 {
				n = len(rest)
			}
			if !yield(u.frame(fresh, rest[:n])) {
				return
			}
			rest, fresh = rest[n:], nil
		}
	}
}

func (u *update) frame(fresh []*series, points []point) []byte {
	b := fmt.Appendf(nil, `{"host":%s,"probe":%s,"interval":%d,"time":%d,"series":[`,
		mustJSON(u.host.name), mustJSON(u.probe), u.host.probes[u.probe].Milliseconds(), points[0].Time)
	for i, s := range fresh {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '['), s.definition...), ']')
	}
	b = append(b, `],"values":[`...)
	for i, p := range points {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(strconv.AppendUint(b, uint64(p.ref), 10), ',')
		b = appendNumber(b, p.Value, -1)
	}
	return append(b, "]}"...)
}

// mustJSON encodes what always can be: strings, numbers and the structs above.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("dashboard: encode %T: %v", v, err))
	}
	return b
}
