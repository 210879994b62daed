package main

import (
	"fmt"
	"slices"
	"strings"

	tables "charm.land/bubbles/v2/table"
	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
)

// topScreen is what top has on the terminal.
type topScreen struct {
	server  string
	hosts   map[string]topHost
	samples float64 // per second
	cut     error   // why the stream is not there
	link    bool    // the dashboard hears the bus

	sorted  int // index in topColumns
	upwards bool
	filter  textinput.Model
	table   tables.Model
	whole   bool // a snapshot has been seen
}

func newTopScreen(server string) *topScreen {
	s := &topScreen{server: server, hosts: map[string]topHost{}, link: true, sorted: columnOf("c"), filter: textinput.New()}
	s.filter.Prompt, s.filter.CharLimit = "/", 200
	styles := tables.DefaultStyles()
	styles.Selected = lipgloss.NewStyle().Reverse(true)
	s.table = tables.New(tables.WithFocused(true), tables.WithStyles(styles))
	s.refresh()
	return s
}

// columnOf is the column that a key sorts by, -1 if there is none.
func columnOf(key string) int {
	return slices.IndexFunc(topColumns, func(c topColumn) bool { return c.key != "" && c.key == key })
}

func (s *topScreen) Init() tea.Cmd { return nil }

func (s *topScreen) Update(m tea.Msg) (tea.Model, tea.Cmd) {
	var cmd tea.Cmd
	switch m := m.(type) {
	case tea.WindowSizeMsg:
		s.table.SetWidth(m.Width)
		s.table.SetHeight(max(m.Height-4, 3))
	case tea.KeyPressMsg:
		cmd = s.press(m)
	default:
		s.hear(m)
	}
	s.refresh()
	return s, cmd
}

// hear takes what the stream tells.
func (s *topScreen) hear(m tea.Msg) {
	switch m := m.(type) {
	case topSnapshot: // after a gap: a host that is not in it is gone
		clear(s.hosts)
		s.cut, s.link, s.whole = nil, m.Link, true
		s.take(m.Hosts)
	case topRows:
		s.take(m.Hosts)
	case topLink:
		s.link = m.Up
	case topPulse:
		s.samples = m.Samples
	case topCut:
		s.cut = m.err
	}
}

func (s *topScreen) take(rows []topHost) {
	for _, h := range rows {
		s.hosts[h.Name] = h
	}
}

func (s *topScreen) press(k tea.KeyPressMsg) tea.Cmd {
	switch key := k.String(); {
	case key == "ctrl+c", key == "q" && !s.filter.Focused():
		return tea.Quit
	case s.filter.Focused():
		return s.edit(k)
	case key == "/":
		return s.filter.Focus()
	case columnOf(key) >= 0:
		s.sortBy(columnOf(key))
		return nil
	}
	var cmd tea.Cmd
	s.table, cmd = s.table.Update(k)
	return cmd
}

// edit is a key while the filter is written.
func (s *topScreen) edit(k tea.KeyPressMsg) (cmd tea.Cmd) {
	switch k.String() {
	case "enter":
		s.filter.Blur()
	case "esc":
		s.filter.Reset()
		s.filter.Blur()
	default:
		s.filter, cmd = s.filter.Update(k)
	}
	return cmd
}

func (s *topScreen) sortBy(column int) {
	s.upwards = column == s.sorted && !s.upwards
	s.sorted = column
	s.table.GotoTop()
}

// refresh makes the table anew.
func (s *topScreen) refresh() {
	var columns []tables.Column
	for i, c := range topColumns {
		title := c.title
		if i == s.sorted {
			title += map[bool]string{true: "▲", false: "▼"}[s.upwards]
		}
		columns = append(columns, tables.Column{Title: title, Width: c.width})
	}
	s.table.SetColumns(columns)
	var rows []tables.Row
	for _, h := range s.shown() {
		row := make(tables.Row, len(topColumns))
		for i, c := range topColumns {
			row[i] = c.cell(h)
		}
		rows = append(rows, row)
	}
	s.table.SetRows(rows)
}

// shown are the hosts that the filter leaves, in order.
func (s *topScreen) shown() []topHost {
	words := strings.Fields(strings.ToLower(s.filter.Value()))
	var list []topHost
	for _, h := range s.hosts {
		text := strings.ToLower(h.Name + " " + h.Group + " " + h.state())
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			list = append(list, h)
		}
	}
	order := topColumns[s.sorted].order
	slices.SortFunc(list, func(a, b topHost) int {
		c := order(b, a)
		if s.upwards {
			c = -c
		}
		if c == 0 {
			c = strings.Compare(a.Name, b.Name)
		}
		return c
	})
	return list
}

func (s *topScreen) View() tea.View {
	foot := quiet.Render("c m d l i o n s sort · / filter · ↑ ↓ scroll · q quit")
	if s.filter.Focused() || s.filter.Value() != "" {
		foot = s.filter.View()
	}
	v := tea.NewView(s.head() + "\n" + s.table.View() + "\n" + foot)
	v.AltScreen, v.WindowTitle = true, "thump top"
	return v
}

// head is the line of totals, or what is wrong.
func (s *topScreen) head() string {
	silent := 0
	for _, h := range s.hosts {
		if h.Silent {
			silent++
		}
	}
	head := fmt.Sprintf("%s  %d hosts, %d silent, %.0f samples/s", s.server, len(s.hosts), silent, s.samples)
	switch {
	case s.cut != nil:
		head += "  " + hot.Render("cut: "+s.cut.Error())
	case !s.whole:
		head += "  " + quiet.Render("connecting …")
	case !s.link:
		head += "  " + hot.Render("the dashboard does not hear the bus")
	}
	return head
}
