package main

import (
	"encoding/json"
	"math"
)

// report is what -json writes: what the tables say, and each run's figures.
type report struct {
	Machine   string           `json:"machine"`
	Runs      int              `json:"runs"`
	Quick     bool             `json:"quick"`
	Workloads []workloadReport `json:"workloads"`
}

type workloadReport struct {
	Name       string            `json:"name"`
	What       string            `json:"what"`
	N          int               `json:"n"`
	Contenders []contenderReport `json:"contenders"`
	Targets    []verdict         `json:"targets"`
}

type contenderReport struct {
	Name    string             `json:"name"`
	Kind    string             `json:"kind"`
	Figures []figureReport     `json:"figures"`
	CPU     float64            `json:"cpu_us_each"`
	Peak    map[string]float64 `json:"peak_mib"`
	Lost    string             `json:"lost"` // 0, how many in the worst run, or that runs failed
}

type figureReport struct {
	Name       string    `json:"name"`
	Unit       string    `json:"unit"`
	Less       bool      `json:"less_is_better"`
	Median     float64   `json:"median"`
	Runs       []float64 `json:"runs"` // in order of size
	OfBestPeer float64   `json:"of_best_peer"`
}

func (k kind) String() string { return [...]string{"ours", "peer", "limit"}[k] }

func marshal(machine string, runs int, quick bool, tables []*table) ([]byte, error) {
	r := report{Machine: machine, Runs: runs, Quick: quick}
	for _, t := range tables {
		w := workloadReport{Name: t.w.name, What: t.w.what, N: t.n}
		for _, c := range t.w.contenders {
			w.Contenders = append(w.Contenders, t.contenderReport(c))
		}
		for _, m := range t.w.metrics {
			w.Targets = append(w.Targets, t.verdicts(m)...)
		}
		r.Workloads = append(r.Workloads, w)
	}
	return json.MarshalIndent(r, "", "  ")
}

func (t *table) contenderReport(c *contender) contenderReport {
	r := contenderReport{Name: c.name, Kind: c.kind.String(), CPU: known(t.cpu(c)), Peak: map[string]float64{}, Lost: t.lost(c)}
	for _, m := range t.w.metrics {
		_, best := t.best(m, peers)
		all := t.figures(c, m)
		r.Figures = append(r.Figures, figureReport{m.name, m.unit, m.less, known(median(all)), all, known(m.factor(median(all), best))})
	}
	for _, role := range t.w.roles(c) {
		r.Peak[role.name] = known(t.peak(c, role.name))
	}
	return r
}

// known is 0 for what is not: JSON has no NaN.
func known(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}
