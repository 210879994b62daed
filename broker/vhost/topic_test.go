package vhost

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// topicMatches is the definition of a topic match, word by word.
func topicMatches(pattern, key []string) bool {
	if len(pattern) == 0 {
		return len(key) == 0
	}
	if pattern[0] == "#" {
		return topicMatches(pattern[1:], key) || len(key) > 0 && topicMatches(pattern, key[1:])
	}
	return len(key) > 0 && (pattern[0] == "*" || pattern[0] == key[0]) && topicMatches(pattern[1:], key[1:])
}

// topicOf returns a matcher with one queue for each pattern.
func topicOf(patterns []string) (matcher, []*Queue) {
	m := newMatcher("topic")
	var queues []*Queue
	for _, p := range patterns {
		q := &Queue{}
		queues = append(queues, q)
		m = m.with(&binding{spec: BindingSpec{Key: p}, queue: q})
	}
	return m, queues
}

func FuzzTopicMatch(f *testing.F) {
	f.Add("#|*.#|a.*|", "a.b")
	f.Add("a.#.b|#.#|*.*.*", "a.b.b")
	f.Add("", "")
	f.Add("#.a.#.a.#", "a.a.b.a")
	f.Fuzz(func(t *testing.T, list, key string) {
		patterns := strings.Split(list, "|")
		if len(patterns) > 8 || len(list) > 60 || len(key) > 30 {
			t.Skip()
		}
		m, queues := topicOf(patterns)
		got := make(map[*Queue]int)
		for _, q := range m.match(key, nil).queues {
			got[q]++
		}
		for i, p := range patterns {
			want := 0
			if topicMatches(words(p), words(key)) {
				want = 1
			}
			if got[queues[i]] != want {
				t.Errorf("pattern %q, key %q: matched %d times, want %d", p, key, got[queues[i]], want)
			}
		}
	})
}

func TestTopicHostileBinding(t *testing.T) {
	m, queues := topicOf([]string{strings.Repeat("#.a.", 60) + "b"})
	start := time.Now()
	got := m.match(strings.Repeat("a.", 120)+"c", nil).queues
	if len(got) != 0 || len(queues) != 1 {
		t.Errorf("matched %d queues", len(got))
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("took %s", took)
	}
}

func TestTopicCacheForgets(t *testing.T) {
	m, queues := topicOf([]string{"a.#"})
	b := &binding{spec: BindingSpec{Key: "a.b"}, queue: &Queue{}}
	if got := m.match("a.b", nil).queues; len(got) != 1 || got[0] != queues[0] {
		t.Errorf("before: %d queues", len(got))
	}
	m = m.with(b)
	if got := m.match("a.b", nil).queues; len(got) != 2 {
		t.Errorf("bound: %d queues, want 2", len(got))
	}
	if got := m.without(b).match("a.b", nil).queues; len(got) != 1 {
		t.Errorf("unbound: %d queues, want 1", len(got))
	}
}

// BenchmarkTopic routes 1,000 keys over 10,000 bindings of 10 queues, two of
// which match each key.
func BenchmarkTopic(b *testing.B) {
	v := newTestVHost(b)
	declareExchange(b, v, "x", "topic")
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = fmt.Sprintf("group%d.host%d.disk", i%10, i)
	}
	for i := range 10 {
		declareQueue(b, v, fmt.Sprint("q", i), nil)
	}
	start := time.Now()
	for i := range 5000 {
		q := fmt.Sprint("q", i%10)
		must(b, v.BindQueue(q, "x", fmt.Sprintf("*.host%d.*", i), nil, nil))
		must(b, v.BindQueue(q, "x", fmt.Sprintf("#.host%d.disk", i), nil, nil))
	}
	bindTime := time.Since(start)
	x, err := v.exchange("x")
	must(b, err)
	m := &Message{Exchange: "x"}
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			m.Key = keys[i%len(keys)]
			if len(v.route(x, m)) != 1 {
				b.Fatal("not routed once")
			}
		}
	})
	b.Run("uncached", func(b *testing.B) {
		b.ReportAllocs()
		root := (*x.matcher.Load()).(topicMatcher).root
		for i := 0; b.Loop(); i++ {
			if len(root.match(words(keys[i%len(keys)])).queues) != 1 {
				b.Fatal("not routed once")
			}
		}
		b.ReportMetric(float64(bindTime.Nanoseconds())/10000, "ns/bind")
	})
}
