package main

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/dustin/go-humanize"
)

// topColumn is one column of the table of hosts.
type topColumn struct {
	key   string // pressed to sort by it; "" if it is not sorted by
	title string
	width int
	text  func(topHost) string
	order func(a, b topHost) int // the first press shows what is highest
	heat  func(topHost) *float64 // what colours it, a ratio
}

var topColumns = []topColumn{
	{"n", "host", 24, func(h topHost) string { return h.Name }, func(a, b topHost) int { return cmp.Compare(b.Name, a.Name) }, nil},
	{"", "group", 12, func(h topHost) string { return h.Group }, nil, nil},
	{"", "state", 7, func(h topHost) string { return h.state() }, nil, nil},
	{"c", "cpu", 6, func(h topHost) string { return percent(h.CPU) }, by(cpuOf), cpuOf},
	{"m", "memory", 7, func(h topHost) string { return percent(h.Memory) }, by(memoryOf), memoryOf},
	{"d", "disk", 6, func(h topHost) string { return percent(h.Disk) }, by(diskOf), diskOf},
	{"", "fullest", 14, func(h topHost) string { return h.DiskAt }, nil, nil},
	{"l", "load", 7, func(h topHost) string { return fixed(h.Load) }, by(func(h topHost) *float64 { return h.Load }), loadOf},
	{"i", "received", 11, func(h topHost) string { return perSecond(h.Receive) }, by(func(h topHost) *float64 { return h.Receive }), nil},
	{"o", "sent", 11, func(h topHost) string { return perSecond(h.Transmit) }, by(func(h topHost) *float64 { return h.Transmit }), nil},
	{"s", "seen", 8, func(h topHost) string { return h.ago(time.Now()) }, func(a, b topHost) int { return cmp.Compare(b.Seen, a.Seen) }, nil},
}

func cpuOf(h topHost) *float64    { return h.CPU }
func memoryOf(h topHost) *float64 { return h.Memory }
func diskOf(h topHost) *float64   { return h.Disk }

// loadOf is the load for each core.
func loadOf(h topHost) *float64 {
	if h.Load == nil || h.Cores == 0 {
		return nil
	}
	share := *h.Load / float64(h.Cores)
	return &share
}

// by orders hosts by a number; one that is not known is the lowest.
func by(of func(topHost) *float64) func(a, b topHost) int {
	return func(a, b topHost) int {
		x, y := of(a), of(b)
		if x == nil || y == nil {
			return cmp.Compare(btoi(x != nil), btoi(y != nil))
		}
		return cmp.Compare(*x, *y)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (h topHost) state() string {
	if h.Silent {
		return "silent"
	}
	return "up"
}

func (h topHost) ago(now time.Time) string {
	return now.Sub(time.UnixMilli(h.Seen)).Truncate(time.Second).String()
}

const notKnown = "–"

func percent(v *float64) string {
	if v == nil {
		return notKnown
	}
	return strconv.FormatFloat(*v*100, 'f', 1, 64) + "%"
}

func fixed(v *float64) string {
	if v == nil {
		return notKnown
	}
	return strconv.FormatFloat(*v, 'f', 2, 64)
}

func perSecond(v *float64) string {
	if v == nil {
		return notKnown
	}
	return strings.ReplaceAll(humanize.IBytes(uint64(max(*v, 0))), " ", "") + "/s"
}

var (
	quiet = lipgloss.NewStyle().Faint(true)
	warm  = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	hot   = lipgloss.NewStyle().Foreground(lipgloss.Red).Bold(true)
)

// cell is the text in the colour of its value.
func (c topColumn) cell(h topHost) string {
	text := c.text(h)
	switch {
	case h.Silent:
		return quiet.Render(text)
	case c.heat == nil || c.heat(h) == nil:
		return text
	case *c.heat(h) >= 0.95:
		return hot.Render(text)
	case *c.heat(h) >= 0.8:
		return warm.Render(text)
	}
	return text
}

// printHosts writes a table for scripts: no colours, a word in every field.
func printHosts(w io.Writer, hosts []topHost) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for i, c := range topColumns {
		fmt.Fprint(out, c.title, tabOrEnd(i))
	}
	for _, h := range hosts {
		for i, c := range topColumns {
			fmt.Fprint(out, cmp.Or(c.text(h), notKnown), tabOrEnd(i))
		}
	}
	return out.Flush()
}

func tabOrEnd(column int) string {
	if column == len(topColumns)-1 {
		return "\n"
	}
	return "\t"
}
