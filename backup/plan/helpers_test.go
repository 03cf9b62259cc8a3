package plan_test

import (
	"time"

	"github.com/cloudopsec/opsec/backup/plan"
)

const (
	gib = 1 << 30
	day = 24 * time.Hour
)

// strategy is one that shop, a problem, can meet.
func strategy() plan.Strategy {
	return plan.Strategy{
		Tenant: "acme", Source: "web-1", RPO: 4 * time.Hour, Loss: 6 * time.Hour, RTO: 3 * time.Hour, SiteRPO: day, SiteLoss: 30 * time.Hour, SiteRTO: 12 * time.Hour,
		System: 8 * day, Points: 7, Reach: 7 * day, OnSite: 1, OffSite: 1, Regions: []string{"eu-1", "eu-2"},
		VerifyEvery: 7 * day, TestEvery: 30 * day,
	}
}

func problem() plan.Problem {
	hours := func(list ...int) (all []time.Duration) {
		for _, h := range list {
			all = append(all, time.Duration(h)*time.Hour)
		}
		return all
	}
	return plan.Problem{
		Strategy: strategy(),
		Workload: plan.Workload{
			Files: plan.Data{Bytes: 100 * gib, Daily: 2 * gib}, Image: plan.Data{Bytes: 160 * gib, Daily: 6 * gib, Hot: 80 * gib},
			Detect: 5 * time.Minute, Decide: 15 * time.Minute, Provision: 5 * time.Minute, Rebuild: time.Hour, Verify: 10 * time.Minute,
		},
		Targets: []plan.Target{
			{ID: "array", Site: plan.OnSite, Region: "eu-1", Encrypted: true},
			{ID: "vault", Site: plan.OffSite, Region: "eu-2", Encrypted: true},
			{ID: "abroad", Site: plan.OffSite, Region: "us-1", Encrypted: true},
		},
		Options: []plan.Option{
			{ID: "array-files", Level: plan.Files, Target: "array", Chain: plan.Incremental, Intervals: hours(1, 2, 4, 8), Every: []int{1, 7, 28},
				Ratio: 600, Backup: 80 << 20, Restore: 60 << 20, Skew: time.Minute, Price: plan.Price{Store: 40_000, Run: 1000}},
			{ID: "array-image", Level: plan.Image, Target: "array", Chain: plan.Differential, Intervals: hours(4, 24, 168), Every: []int{1, 4, 7},
				Ratio: 700, Backup: 200 << 20, Restore: 150 << 20, Price: plan.Price{Store: 40_000, Run: 5000}},
			{ID: "vault-files", Level: plan.Files, Target: "vault", Chain: plan.Dedup, Intervals: hours(4, 12, 24),
				Ratio: 500, Backup: 20 << 20, Restore: 15 << 20, Lag: time.Hour, Price: plan.Price{Store: 15_000, Write: 2000, Read: 10_000, Run: 500}},
			{ID: "vault-image", Level: plan.Image, Target: "vault", Chain: plan.Incremental, Intervals: hours(24, 168), Every: []int{1, 7},
				Ratio: 700, Backup: 20 << 20, Restore: 25 << 20, Lag: time.Hour, Browse: true, Price: plan.Price{Store: 15_000, Write: 2000, Read: 10_000, Run: 500}},
			{ID: "abroad-files", Level: plan.Files, Target: "abroad", Chain: plan.Dedup, Intervals: hours(24),
				Ratio: 500, Backup: 20 << 20, Restore: 40 << 20, Price: plan.Price{Store: 4_000}},
		},
	}
}
