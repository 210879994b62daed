package vhost

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"thump/broker/amqp"
)

// Policy gives arguments to the queues and exchanges whose names match, live. Of
// those that match, only the one of the highest priority applies. An operator
// policy has the same form and can only tighten.
type Policy struct {
	Name       string         `json:"name"`
	Pattern    string         `json:"pattern"`
	ApplyTo    string         `json:"apply-to"` // all, queues, classic_queues, quorum_queues or exchanges
	Priority   int64          `json:"priority"`
	Definition map[string]any `json:"definition"` // numbers as JSON decodes them
}

// policyKeys are what a policy may hold, and how a value is checked. Those that
// an operator policy may hold are marked.
var policyKeys = map[string]struct {
	operator bool
	valid    func(any) bool
}{
	"message-ttl":             {true, isCount},
	"expires":                 {true, func(v any) bool { n, ok := count(v); return ok && n > 0 }},
	"max-length":              {true, isCount},
	"max-length-bytes":        {true, isCount},
	"delivery-limit":          {true, func(v any) bool { n, ok := count(v); return ok && n >= -1 }},
	"overflow":                {true, isOverflow},
	"dead-letter-exchange":    {false, isText},
	"dead-letter-routing-key": {false, isText},
	"consumer-timeout":        {false, isCount},
	"alternate-exchange":      {false, isText},
	"queue-mode":              {false, isText}, // accepted and without effect, as in RabbitMQ 4
	"queue-version":           {false, isCount},
	"ha-mode":                 {false, func(any) bool { return true }},
	"ha-sync-mode":            {false, isText},
}

func isText(v any) bool { _, ok := v.(string); return ok }

func isCount(v any) bool { n, ok := count(v); return ok && n >= 0 }

func isOverflow(v any) bool {
	s, _ := v.(string)
	return slices.Contains([]overflow{dropHead, rejectPublish, rejectPublishDLX}, overflow(s))
}

// count returns a whole number, as JSON or as a field table holds it.
func count(v any) (int64, bool) {
	if f, ok := number(v); ok {
		return int64(f), f == math.Trunc(f) && math.Abs(f) < 1<<53
	}
	if n, ok := v.(int); ok {
		return int64(n), true
	}
	return integer(v)
}

// Validate says what is wrong with a policy.
func (p Policy) Validate(operator bool) error {
	if p.Name == "" {
		return fmt.Errorf("policy has no name")
	}
	if _, err := regexp.Compile(p.Pattern); err != nil {
		return fmt.Errorf("pattern of policy %q: %w", p.Name, err)
	}
	if !slices.Contains([]string{"", "all", "queues", "classic_queues", "quorum_queues", "exchanges"}, p.ApplyTo) {
		return fmt.Errorf("policy %q applies to %q, which is none of all, queues, classic_queues, quorum_queues, exchanges", p.Name, p.ApplyTo)
	}
	if len(p.Definition) == 0 {
		return fmt.Errorf("policy %q has no definition", p.Name)
	}
	for key, value := range p.Definition {
		known, ok := policyKeys[key]
		if !ok || operator && !known.operator {
			return fmt.Errorf("%q is not a recognised setting of policy %q", key, p.Name)
		}
		if !known.valid(value) {
			return fmt.Errorf("%v is not a valid value for %q of policy %q", value, key, p.Name)
		}
	}
	return nil
}

// rule is a policy with its pattern compiled.
type rule struct {
	Policy
	pattern *regexp.Regexp
}

// policies are the policies of a virtual host, the strongest first. They are
// guarded by VHost.mu.
type policies struct {
	user, operator []rule
	given          [2][]Policy // as SetPolicies got them
}

func compilePolicies(list []Policy, operator bool) ([]rule, error) {
	var rules []rule
	for _, p := range list {
		if err := p.Validate(operator); err != nil {
			return nil, err
		}
		rules = append(rules, rule{p, regexp.MustCompile(p.Pattern)})
	}
	slices.SortStableFunc(rules, func(a, b rule) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.Name, b.Name))
	})
	return rules, nil
}

// match returns the policy for a name, or nil. The kinds are what ApplyTo may say.
func match(rules []rule, name string, kinds ...string) *rule {
	for i := range rules {
		r := &rules[i]
		if (r.ApplyTo == "" || r.ApplyTo == "all" || slices.Contains(kinds, r.ApplyTo)) && r.pattern.MatchString(name) {
			return r
		}
	}
	return nil
}

// SetPolicies replaces the policies, and applies them to all that there is.
func (v *VHost) SetPolicies(user, operator []Policy) error {
	p := policies{given: [2][]Policy{user, operator}}
	var err error
	if p.user, err = compilePolicies(user, false); err != nil {
		return err
	}
	if p.operator, err = compilePolicies(operator, true); err != nil {
		return err
	}
	v.mu.Lock()
	if reflect.DeepEqual(p.given, v.policies.given) { // to apply them again would renew leases
		v.mu.Unlock()
		return nil
	}
	v.policies = p
	var spill []casualty
	for _, q := range v.queues.Load().all() {
		q.apply(p, &spill)
	}
	for _, x := range v.exchanges.Load().all() {
		x.apply(p)
	}
	v.mu.Unlock()
	v.bury(spill)
	return nil
}

// apply makes the policies hold for a queue.
func (q *Queue) apply(p policies, spill *[]casualty) {
	kind := "classic_queues"
	if q.declared.counts {
		kind = "quorum_queues"
	}
	user, operator := match(p.user, q.spec.Name, "queues", kind), match(p.operator, q.spec.Name, "queues", kind)
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.deleted {
		return
	}
	q.rules, q.policy, q.operatorPolicy = q.declared, "", ""
	if user != nil {
		q.policy = user.Name
		q.rules.adopt(user.Definition)
	}
	if operator != nil {
		q.operatorPolicy = operator.Name
		q.rules.adopt(operator.Definition)
	}
	q.setPatience(q.rules.patience)
	q.aging.head = entry{} // its deadline was reckoned by the old rules
	q.aging.stop()
	if q.rules.lease == unlimited {
		q.lease.stop()
	}
	q.use()
	q.trim(spill)
	q.age(spill)
}

// adopt merges a policy into the rules of a queue as RabbitMQ does: of two
// numbers the smaller holds, of anything else the queue's own argument.
func (r *queueRules) adopt(definition map[string]any) {
	tighten := func(own *int64, key string) {
		if n, ok := count(definition[key]); ok && n >= 0 {
			*own = min(*own, n)
		}
	}
	tighten(&r.messageTTL, "message-ttl")
	tighten(&r.lease, "expires")
	tighten(&r.maxLength, "max-length")
	tighten(&r.maxBytes, "max-length-bytes")
	tighten(&r.patience, "consumer-timeout")
	if r.counts {
		if n, ok := count(definition["delivery-limit"]); ok && r.limitByDefault {
			r.deliveryLimit, r.limitByDefault = unlimited, false
			if n >= 0 {
				r.deliveryLimit = n
			}
		}
		tighten(&r.deliveryLimit, "delivery-limit")
	}
	if s, ok := definition["overflow"].(string); ok && r.overflowByDefault {
		r.overflow, r.overflowByDefault = overflow(s), false
	}
	if exchange, ok := definition["dead-letter-exchange"].(string); ok && r.deadLetter == nil {
		r.deadLetter = &deadLetterTarget{exchange: exchange}
		if key, ok := definition["dead-letter-routing-key"].(string); ok {
			r.deadLetter.key = &key
		}
	}
}

// apply makes the policies hold for an exchange: its own argument comes first.
func (x *exchange) apply(p policies) {
	alternate, own := x.spec.Args["alternate-exchange"].(string)
	policy := match(p.user, x.spec.Name, "exchanges")
	if strings.HasPrefix(x.spec.Name, "amq.") || x.spec.Name == "" {
		policy = nil // as in RabbitMQ, policies leave the predeclared ones alone
	}
	x.policy = ""
	if policy != nil {
		x.policy = policy.Name
		if !own {
			alternate, _ = policy.Definition["alternate-exchange"].(string)
		}
	}
	x.alternate.Store(&alternate)
}

// Limits bound a virtual host; nil stands for no limit.
type Limits struct {
	MaxConnections *int `json:"max-connections,omitempty"`
	MaxQueues      *int `json:"max-queues,omitempty"`
}

// SetLimits replaces the limits. What is beyond them already stays.
func (v *VHost) SetLimits(l Limits) { v.limits.Store(&l) }

// Limits returns the limits.
func (v *VHost) Limits() Limits { return *v.limits.Load() }

// roomForQueue refuses a queue beyond the limit. VHost.mu must be held.
func (v *VHost) roomForQueue(name string) error {
	most := v.Limits().MaxQueues
	if most == nil || *most < 0 || v.queues.Load().size < *most {
		return nil
	}
	return amqp.ChannelError(amqp.PreconditionFailed, "cannot declare queue '%s': queue limit in vhost '%s' (%d) is reached",
		name, v.cfg.Name, *most)
}
