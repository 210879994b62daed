package enrolment

import (
	"cmp"

	"github.com/prometheus/client_golang/prometheus"

	"thump/internal/control"
)

// metrics of an office.
type metrics struct {
	questions *prometheus.CounterVec
	signed    prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, o *Office) *metrics {
	m := &metrics{
		questions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "thump_enrolment_questions_total", Help: "Hosts that asked to join or leave, by what became of it."}, []string{"question", "outcome"}),
		signed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "thump_commands_signed_total", Help: "Remote commands signed."}),
	}
	hosts := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "thump_enrolment_hosts", Help: "Hosts that have joined and may connect."}, o.countHosts)
	reg.MustRegister(m.questions, m.signed, hosts)
	return m
}

func (m *metrics) asked(question string, why control.Refused) {
	m.questions.WithLabelValues(question, cmp.Or(string(why), "granted")).Inc()
}

func (o *Office) countHosts() float64 {
	hosts, err := o.store.hosts()
	if err != nil { // the file is closed: the program ends
		return 0
	}
	return float64(len(hosts))
}
