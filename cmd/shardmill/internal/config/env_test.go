package config_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/config"
	"github.com/shardmill/shardmill/processors"
	"github.com/shardmill/shardmill/processors/prefix"
)

// environment is what variables are set to.
func environment(name string) (string, bool) {
	s, set := map[string]string{
		"NAME": "orders", "ONCE": "once", "_B2": "archive", "SIZE": "64", "SPAN": "900", "EMPTY": "", "OFF": "false", "ON": "true", "AT": "127.0.0.1:1",
		"WORDS": "a: [b, {c: \"d\"}] # e", "AGAIN": "${NAME}", "LINES": "a\nBucketARN: b", "BYTES": "a\xff", "ZERO": "064", "LARGE": "129",
		"LONG": strings.Repeat("x", 40_000),
		// Asked for, these would be shown.
		"AWS_SECRET_ACCESS_KEY": "hidden", "db_password": "hidden", "SessionToken": "hidden", "AWS_ACCESS_KEY_ID": "hidden", "MYAPIKEY": "hidden",
	}[name]
	return s, set
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	hints := processors.BufferingHints{SizeInMBs: 64, IntervalInSeconds: 900}
	for name, row := range map[string]struct {
		text   string
		differ func(*config.Config) // from the defaults
	}{
		"none":                        {inDestination("Prefix: a$b/$/{c}/"), func(c *config.Config) { c.Delivery.Prefix = "a$b/$/{c}/" }},
		"a text, a part of one":       {strings.NewReplacer(": orders", ": ${NAME}", "::archive", "::${_B2}").Replace(base), nil},
		"several in one":              {inDestination("Prefix: '${NAME}/${_B2}${NAME}/'"), func(c *config.Config) { c.Delivery.Prefix = "orders/archiveorders/" }},
		"in JSON":                     {`{"DeliveryStreamName": "${NAME}", ` + "\n" + `"KinesisStreamSourceConfiguration": {"KinesisStreamARN": "arn:aws:kinesis:us-east-1:123456789012:stream/${NAME}"}, "ExtendedS3DestinationConfiguration": {"BucketARN": "arn:aws:s3:::archive", "BufferingHints": {"SizeInMBs": "${SIZE}", "IntervalInSeconds": "${SPAN}"}}}`, func(c *config.Config) { c.Delivery.Hints = hints }},
		"numbers":                     {inDestination("BufferingHints:\n  SizeInMBs: ${SIZE}\n  IntervalInSeconds: '${SPAN}'"), func(c *config.Config) { c.Delivery.Hints = hints }},
		"digits where a text belongs": {inDestination("Prefix: ${SIZE}"), func(c *config.Config) { c.Delivery.Prefix = "64" }},
		"a truth value":               {inDestination("ProcessingConfiguration: {Enabled: '${OFF}'}"), nil},
		"a choice":                    {inOurs("delivery: at-least-${ONCE}"), func(c *config.Config) { c.Delivery.Delivery = "at-least-once" }},
		"an address":                  {inOurs("healthAddress: ${AT}"), func(c *config.Config) { c.HealthAddress, c.HealthGiven = "127.0.0.1:1", true }},
		"an item of a list":           {inOurs("formerBuckets: ['${_B2}', \"${NAME}\"]"), func(c *config.Config) { c.Delivery.FormerBuckets = []string{"archive", "orders"} }},
		"nothing":                     {inDestination("Prefix: ${EMPTY}"), nil},
		"marks of YAML and JSON":      {inDestination("Prefix: ${WORDS}"), func(c *config.Config) { c.Delivery.Prefix = `a: [b, {c: "d"}] # e` }},
		"a variable in a variable":    {inDestination("Prefix: ${AGAIN}"), func(c *config.Config) { c.Delivery.Prefix = "${NAME}" }},
		"none, as written":            {inDestination("Prefix: '$${NAME}/$$${NAME}/$$/$${'"), func(c *config.Config) { c.Delivery.Prefix = "${NAME}/$${NAME}/$$/${" }},
		"a block of text":             {inDestination("Prefix: >-\n  ${NAME}/"), func(c *config.Config) { c.Delivery.Prefix = "orders/" }},
		"in what is no value":         {"# ${NONE}\n" + base, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := config.Load("a.yaml", []byte(row.text), environment)
			if err != nil {
				t.Fatal(err)
			}
			want := defaults()
			if row.differ != nil {
				row.differ(&want)
			}
			if diff := differ(want, got); diff != "" {
				t.Errorf("config (-want +got):\n%s", diff)
			}
		})
	}
}

func TestFaultsOfEnvironment(t *testing.T) {
	t.Parallel()
	const destination, secret = "a.yaml:5: ExtendedS3DestinationConfiguration.", ", whose name is a secret's; nothing here is secret, and logs show it: " +
		"use a variable of another name if it is none, and leave credentials to the AWS SDK's environment"
	const unset, none = ", which is not set in the environment; set it, or write $${ for a ${ that is no variable",
		", which is not the ${NAME} of an environment variable, of letters, digits and _; write $${ for a ${ that is none"
	for name, row := range map[string]struct{ text, want string }{
		"one that is not set": {inDestination("Prefix: ${NONE}"), destination + `Prefix has "${NONE}"` + unset},
		"all of them, in their lines": {
			strings.Replace(base, ": orders", ": ${NONE}", 1) + "  Prefix: a/${NONE}/${NAME}/${NEITHER}/${NONE}/\nshardmill:\n  maxLeases: ${NONE}\n  formerBuckets:\n  - ok\n  - ${NONE}\n",
			`a.yaml:1: DeliveryStreamName has "${NONE}"` + unset + "\n" +
				destination + `Prefix has "${NONE}"` + unset + "\n" + destination + `Prefix has "${NEITHER}"` + unset + "\n" +
				`a.yaml:7: shardmill.maxLeases has "${NONE}"` + unset + "\n" + `a.yaml:10: shardmill.formerBuckets[1] has "${NONE}"` + unset,
		},
		"what is no name":                {inDestination("Prefix: '${}${a b}${1}${A:-b}${A-B}${é}'"), destination + strings.Join([]string{`Prefix has "${}"`, `Prefix has "${a b}"`, `Prefix has "${1}"`, `Prefix has "${A:-b}"`, `Prefix has "${A-B}"`, `Prefix has "${é}"`}, none+"\n"+destination) + none},
		"one without an end":             {inDestination("Prefix: a${NAME"), destination + `Prefix has "${NAME"` + none},
		"one within another":             {inDestination("Prefix: ${A${NAME}}"), destination + `Prefix has "${A${NAME}"` + none},
		"a value that may not be there":  {inDestination("CompressionFormat: ${NAME}"), destination + `CompressionFormat is "orders", from "${NAME}"; choose GZIP, ZIP, Snappy, HADOOP_SNAPPY or UNCOMPRESSED. Firehose says: 1 validation error detected: Value at 'extendedS3DestinationConfiguration.compressionFormat' failed to satisfy constraint: Member must satisfy enum value set: [ZIP, HADOOP_SNAPPY, Snappy, GZIP, UNCOMPRESSED]`},
		"a number that is too large":     {inDestination("BufferingHints: {SizeInMBs: '${LARGE}', IntervalInSeconds: 60}"), destination + `BufferingHints.SizeInMBs is "129", from "${LARGE}"; it must be between 1 and 128`},
		"no number":                      {inOurs("maxLeases: ${NAME}"), `a.yaml:6: shardmill.maxLeases is "orders", from "${NAME}"; it must be a whole number between 1 and 1000000, in decimal digits`},
		"a number as JSON has none":      {inOurs("maxLeases: ${ZERO}"), `a.yaml:6: shardmill.maxLeases is "064", from "${ZERO}"; it must be a whole number between 1 and 1000000, in decimal digits`},
		"nothing for a number":           {inOurs("maxLeases: ${EMPTY}"), `a.yaml:6: shardmill.maxLeases is "", from "${EMPTY}"; it must be a whole number between 1 and 1000000, in decimal digits`},
		"a part of a number":             {inOurs("maxLeases: 1${SIZE}"), `a.yaml:6: shardmill.maxLeases is "164", from "1${SIZE}"; it must be a number between 1 and 1000000, or one variable that is one`},
		"no truth value":                 {inDestination("ProcessingConfiguration: {Enabled: '${NAME}'}"), destination + `ProcessingConfiguration.Enabled is "orders", from "${NAME}"; it must be true or false`},
		"a truth value that is not good": {inDestination("ProcessingConfiguration: {Enabled: '${ON}'}"), destination + `ProcessingConfiguration has no Processors; give 1 to 5 of them, or set Enabled to false. Firehose says: A maximum of 5 and a minimum of 1 processor needs to be supplied when processing is enabled.`},
		"an object":                      {base + "shardmill: ${NAME}\n", `a.yaml:5: shardmill is "orders", from "${NAME}"; it must be an object, not a string`},
		"several lines":                  {inDestination("Prefix: ${LINES}"), destination + `Prefix is "a\nBucketARN: b", from "${LINES}"; remove the control character U+000A`},
		"no text":                        {inDestination("Prefix: ${BYTES}"), destination + `Prefix has "${BYTES}", whose value is not UTF-8; set it to a text`},
		"more than a file may have":      {inDestination("Prefix: ${LONG}${LONG}"), destination + `Prefix has "${LONG}", and with it the variables of the file have more than 65536 bytes; set it to a shorter text`},
		"one without quotes in braces":   {base + "Tags: [{Key: a, Value: ${NAME}}]\n", "a.yaml:5: syntax error at column 25: ',' or '}' must be specified; put ${NAME} in quotes where there are braces or brackets around"},
		"the name of a member":           {base + "${NAME}: a\n", `a.yaml:5: "${NAME}" is not a member of Firehose's CreateDeliveryStream; remove it; its members are `},
		"what looks like a secret": {
			inDestination("Prefix: ${AWS_SECRET_ACCESS_KEY}/${db_password}/${SessionToken}/${AWS_ACCESS_KEY_ID}/${MYAPIKEY}"),
			destination + strings.Join([]string{`Prefix has "${AWS_SECRET_ACCESS_KEY}"`, `Prefix has "${db_password}"`, `Prefix has "${SessionToken}"`, `Prefix has "${AWS_ACCESS_KEY_ID}"`, `Prefix has "${MYAPIKEY}"`}, secret+"\n"+destination) + secret,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load("a.yaml", []byte(row.text), environment)
			if err == nil {
				t.Fatal("it is accepted")
			}
			got := err.Error()
			if name == "the name of a member" {
				got = got[:min(len(got), len(row.want))]
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if strings.Contains(got, "hidden") {
				t.Error("it shows a secret")
			}
		})
	}
}

// No expression of Firehose's is a variable.
func TestExpressionsAreNoVariables(t *testing.T) {
	t.Parallel()
	asked := func(name string) (string, bool) {
		t.Errorf("it asks for %s", name)
		return "", false
	}
	for _, text := range []string{"!{timestamp:yyyy/MM/dd}/", "!{firehose:random-string}/", "a$/$1/", "!{partitionKeyFromQuery:k}"} {
		got, err := config.Load("a.yaml", []byte(inDestination("Prefix: '"+text+"'\nErrorOutputPrefix: errors/")), asked)
		read, want := prefix.Parse(text, prefix.Objects)
		if want == nil {
			want = read.CheckPartitioning(false)
		}
		if want != nil {
			if err == nil || !strings.Contains(err.Error(), want.Error()) {
				t.Errorf("of %s it says %v, want %v", text, err, want)
			}
		} else if err != nil || got.Delivery.Prefix != text {
			t.Errorf("%s is read as %q, %v", text, got.Delivery.Prefix, err)
		}
	}
}

// TestEveryVariable: whatever a variable holds is text, and no more than that.
func TestEveryVariable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringOf(rapid.RuneFrom([]rune("${}!:#\"'[]\n\\-&*"), unicode.L, unicode.N, unicode.P, unicode.S, unicode.Zs)).Draw(t, "value")
		got, err := config.Load("a.yaml", []byte(inDestination("Prefix: '${V}'\nCompressionFormat: GZIP")), func(name string) (string, bool) { return value, name == "V" })
		if err != nil {
			if !strings.HasPrefix(err.Error(), "a.yaml:5: ExtendedS3DestinationConfiguration.Prefix ") || strings.Contains(err.Error(), "\n") {
				t.Fatalf("%q is refused as another text is: %v", value, err)
			}
			return
		}
		if got.Delivery.Prefix != value || got.Delivery.Compression != "GZIP" || got.Delivery.Bucket != "archive" {
			t.Fatalf("%q was read as %q; %+v", value, got.Delivery.Prefix, got.Delivery)
		}
	})
}
