package vhost

import "thump/broker/amqp"

// matcher answers the one question of an exchange: where does a message with
// this key and these encoded properties go? It is immutable; with and without
// return a changed copy.
type matcher interface {
	match(key string, header []byte) *destinations
	with(*binding) matcher
	without(*binding) matcher
}

// matcherFor returns an empty matcher for an exchange as it is declared.
func matcherFor(spec ExchangeSpec) (matcher, error) {
	if spec.Type == consistentHash {
		return newHashMatcher(spec.Args)
	}
	if m := newMatcher(spec.Type); m != nil {
		return m, nil
	}
	return nil, amqp.ChannelError(amqp.PreconditionFailed, "unknown exchange type '%s'", spec.Type)
}

// consistentHash is the type of RabbitMQ's plugin.
const consistentHash = "x-consistent-hash"

// newMatcher returns an empty matcher for an exchange type without arguments, or
// nil if there is no such type.
func newMatcher(exchangeType string) matcher {
	switch exchangeType {
	case "direct":
		return directMatcher{}
	case "fanout":
		return &fanoutMatcher{}
	case "topic":
		return topicMatcher{cache: new(topicCache)}
	case "headers":
		return headersMatcher{}
	}
	return nil
}

// defaultMatcher is the default exchange: every queue is bound to it by its
// name, and nothing else can be.
type defaultMatcher struct{ vhost *VHost }

func (d defaultMatcher) match(key string, _ []byte) *destinations {
	if q, ok := d.vhost.queues.Load().get(key); ok {
		return &q.alone
	}
	return nowhere
}

func (d defaultMatcher) with(*binding) matcher    { return d }
func (d defaultMatcher) without(*binding) matcher { return d }

// fanoutMatcher sends everything everywhere.
type fanoutMatcher struct{ set bindingSet }

func (f *fanoutMatcher) match(string, []byte) *destinations { return &f.set.to }
func (f *fanoutMatcher) with(b *binding) matcher            { return &fanoutMatcher{f.set.with(b)} }
func (f *fanoutMatcher) without(b *binding) matcher         { return &fanoutMatcher{f.set.without(b)} }

// directMatcher compares the whole key.
type directMatcher struct{ keys hamt[*bindingSet] }

func (d directMatcher) match(key string, _ []byte) *destinations {
	if set, ok := d.keys.get(key); ok {
		return &set.to
	}
	return nowhere
}

func (d directMatcher) with(b *binding) matcher {
	var set bindingSet
	if s, ok := d.keys.get(b.spec.Key); ok {
		set = *s
	}
	set = set.with(b)
	return directMatcher{d.keys.with(b.spec.Key, &set)}
}

func (d directMatcher) without(b *binding) matcher {
	s, ok := d.keys.get(b.spec.Key)
	if !ok {
		return d
	}
	set := s.without(b)
	if len(set.bindings) == 0 {
		return directMatcher{d.keys.without(b.spec.Key)}
	}
	return directMatcher{d.keys.with(b.spec.Key, &set)}
}
