package credit

import "github.com/cloudopsec/opsec/sla/ratio"

// Published returns tables that providers have published, as they were worded in the version that Source names. The window for
// claims is that of AWS's agreements of this kind, as read in the one of CloudSearch. What a table leaves empty was not read,
// and may be in the contract all the same. Set ID and Objective before use.
func Published() []Table {
	const cycles = 2 // "the end of the second billing cycle after which the incident occurred"
	return []Table{
		{
			ID: "aws-kms", Bands: bands("99.999%", "10%", "99%", "25%", "95%", "100%"), Minimum: "1.00 USD", Months: cycles,
			Source: "Key Management Service (KMS) Service Level Agreement, last updated 2022-11-29, https://aws.amazon.com/kms/sla/",
		},
		{
			ID: "aws-s3-infrequent-access", Bands: bands("99%", "10%", "98%", "25%", "95%", "100%"), Months: cycles,
			Source: "Amazon S3 Service Level Agreement, last updated 2019-07-31, https://aws.amazon.com/s3/sla/historical/",
		},
		{
			ID: "aws-s3-standard", Bands: bands("99.9%", "10%", "99%", "25%", "95%", "100%"), Months: cycles,
			Source: "Amazon S3 Service Level Agreement, last updated 2019-07-31, https://aws.amazon.com/s3/sla/historical/",
		},
		{
			ID: "aws-security-lake", Bands: bands("99.9%", "10%", "99%", "25%", "95%", "100%"), Minimum: "1.00 USD", Months: cycles,
			Source: "Amazon Security Lake Service Level Agreement, last updated 2023-06-01, https://aws.amazon.com/security-lake/sla; " +
				"the same in AWS Compute Optimizer Service Level Agreement, last updated 2022-05-04",
		},
	}
}

// bands makes a table's bands of pairs that are known to be ratios.
func bands(pairs ...string) []Band {
	list := make([]Band, len(pairs)/2)
	for i := range list {
		list[i].Below, _ = ratio.Parse(pairs[2*i])
		list[i].Credit, _ = ratio.Parse(pairs[2*i+1])
	}
	return list
}
