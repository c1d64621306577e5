package config

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

// What does nothing here, or is switched off, is held to AWS's model of the API all the
// same: Firehose would not have taken a value that breaks it. It does not matter
// if a file leaves such a value open.

// idle reads a value that does nothing.
type idle func(document.Place)

// unlessOpen is f for a value that the file has.
func unlessOpen(f func(document.Place)) idle {
	return func(p document.Place) {
		if !p.IsOpen() {
			f(p)
		}
	}
}

// idleText checks a text: so many characters, and which.
func idleText(least, most int, of *regexp.Regexp, which string) idle {
	return unlessOpen(func(p document.Place) {
		s, ok := p.Text()
		if n := utf8.RuneCountInString(s); ok && (n < least || n > most || !of.MatchString(s)) {
			p.Bad("it must be %d-%d characters %s; it has no effect here", least, most, which)
		}
	})
}

var (
	word = regexp.MustCompile(`^\S+$`)
	some = regexp.MustCompile(`\S`)
)

func idleWord() idle { return idleText(1, 1024, word, "without blanks") }
func idleSome() idle { return idleText(1, 1024, some, "that are not all blanks") }

func idleInteger(least, most int) idle {
	return unlessOpen(func(p document.Place) { p.Integer(least, most) })
}

func idleBoolean() idle { return unlessOpen(func(p document.Place) { p.Boolean() }) }

func idleOneOf(choices ...string) idle {
	return unlessOpen(func(p document.Place) { p.OneOf(choices...) })
}

// idleProportion checks a number between 0 and 1.
func idleProportion(p document.Place) {
	if p.IsOpen() {
		return
	}
	if v := p.Value(); v.Kind != document.Number && (v.Kind != document.Text || !v.Loose) {
		p.WrongKind("a number between 0 and 1")
		return
	}
	if n, err := strconv.ParseFloat(p.Value().Text, 64); err != nil || math.IsNaN(n) || n < 0 || n > 1 {
		p.Bad("it must be between 0 and 1")
	}
}

func idleList(of string, each idle) idle {
	return unlessOpen(func(p document.Place) {
		items, _ := p.Items("a list of " + of)
		for _, at := range items {
			each(at)
		}
	})
}

// idleWords checks a list of 1 to most words.
func idleWords(of string, most int) idle {
	return unlessOpen(func(p document.Place) {
		items, ok := p.Items("a list of " + of)
		if ok && (len(items) < 1 || len(items) > most) {
			p.Fault("has %d %s; it must have 1-%d; it has no effect here", len(items), of, most)
		}
		for _, at := range items {
			idleWord()(at)
		}
	})
}

// idleObject checks an object, of which need must be given.
func idleObject(members map[string]idle, need ...string) idle {
	return unlessOpen(func(p document.Place) {
		name, _, _ := strings.Cut(p.Name(), "[")
		s := document.Shape{Of: "Firehose's " + name, Members: map[string]func(document.Place){}}
		for name, each := range members {
			s.Members[name] = each
		}
		given, ok := p.Read(s)
		for _, name := range need {
			if ok {
				p.Need(given, name, "give it, or remove the whole: it has no effect here")
			}
		}
	})
}

// idleMap checks an object whose members have any names of one kind.
func idleMap(key *regexp.Regexp, value idle) idle {
	return unlessOpen(func(p document.Place) {
		s := document.Shape{Members: map[string]func(document.Place){}}
		for _, m := range p.Value().Members {
			s.Members[m.Key] = func(at document.Place) {
				if !key.MatchString(m.Key) || len(m.Key) > 1024 {
					at.Fault("has a name that Firehose does not take; it must be 1-1024 characters without blanks; it has no effect here")
				}
				value(at)
			}
		}
		p.Read(s)
	})
}

// idleProcessors checks Processors of a ProcessingConfiguration that is off.
func idleProcessors() idle {
	_, types, parameters := parametersOf()
	value := idleText(1, longestParameter, some, "that are not all blanks")
	parameter := idleObject(map[string]idle{
		"ParameterName": idleOneOf(parameters...),
		"ParameterValue": func(p document.Place) {
			if !p.Is("\n") { // see readParameter
				value(p)
			}
		},
	}, "ParameterName", "ParameterValue")
	return idleList("processors", idleObject(map[string]idle{
		"Type": idleOneOf(types...), "Parameters": idleList("parameters", parameter),
	}, "Type"))
}

// idlePartitioning are the members of DynamicPartitioningConfiguration, beside Enabled.
func idlePartitioning() map[string]idle {
	return map[string]idle{"RetryOptions": idleObject(map[string]idle{"DurationInSeconds": idleInteger(0, 7200)})}
}

// idleConversion are the members of DataFormatConversionConfiguration, beside Enabled.
func idleConversion() map[string]idle {
	const blockBytes, most = 64 << 20, math.MaxInt32
	return map[string]idle{
		"SchemaConfiguration": idleObject(map[string]idle{
			"RoleARN": idleWord(), "CatalogId": idleWord(), "DatabaseName": idleWord(), "TableName": idleWord(), "Region": idleWord(), "VersionId": idleWord(),
		}),
		"InputFormatConfiguration": idleObject(map[string]idle{"Deserializer": idleObject(map[string]idle{
			"OpenXJsonSerDe": idleObject(map[string]idle{
				"ConvertDotsInJsonKeysToUnderscores": idleBoolean(), "CaseInsensitive": idleBoolean(), "ColumnToJsonKeyMappings": idleMap(word, idleSome()),
			}),
			"HiveJsonSerDe": idleObject(map[string]idle{"TimestampFormats": idleList("formats", idleSome())}),
		})}),
		"OutputFormatConfiguration": idleObject(map[string]idle{"Serializer": idleObject(map[string]idle{
			"ParquetSerDe": idleObject(map[string]idle{
				"BlockSizeBytes": idleInteger(blockBytes, most), "PageSizeBytes": idleInteger(64<<10, most), "Compression": idleOneOf("UNCOMPRESSED", "GZIP", "SNAPPY"),
				"EnableDictionaryCompression": idleBoolean(), "MaxPaddingBytes": idleInteger(0, most), "WriterVersion": idleOneOf("V1", "V2"),
			}),
			"OrcSerDe": idleObject(map[string]idle{
				"StripeSizeBytes": idleInteger(8<<20, most), "BlockSizeBytes": idleInteger(blockBytes, most), "RowIndexStride": idleInteger(1000, most),
				"EnablePadding": idleBoolean(), "PaddingTolerance": idleProportion, "Compression": idleOneOf("NONE", "ZLIB", "SNAPPY"),
				"BloomFilterColumns": idleList("columns", idleWord()), "BloomFilterFalsePositiveProbability": idleProportion,
				"DictionaryKeyThreshold": idleProportion, "FormatVersion": idleOneOf("V0_11", "V0_12"),
			}),
		})}),
	}
}
