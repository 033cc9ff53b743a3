# Reads variables as `exec.d` programs write them, keys and strings of TOML, and prints each as
# `NAME=value` with a zero byte behind it. What else there is ends in a pair without a name.
use strict;
use warnings;

my %short = (b => "\b", t => "\t", n => "\n", f => "\f", r => "\r", e => "\e", '"' => '"', '\\' => '\\');

sub unescape {
    my ($text) = @_;
    $text =~ s/\\(?:([btnfre"\\])|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|[ \t]*\n\s*)/
        if (defined $1) { $short{$1} }
        elsif (defined $2 || defined $3) { my $c = chr hex($2 \/\/ $3); utf8::encode($c); $c }
        else { '' }/gex;
    return $text;
}

local $/;
my $text = <STDIN> // '';
$text =~ s/\r\n/\n/g;
my @pairs;
pos($text) = 0;
while (1) {
    $text =~ /\G(?:\s+|#[^\n]*)*/gc;
    last if pos($text) >= length $text;
    my $value;
    if ($text =~ /\G(?:([A-Za-z0-9_-]+)|"([A-Za-z0-9_-]+)"|'([A-Za-z0-9_-]+)')[ \t]*=[ \t]*/gc) {
        my $name = $1 // $2 // $3;
        if ($text =~ /\G"""\n?((?:[^\\"]|\\.|"(?!""))*"{0,2})"""/gcs) { $value = unescape($1) }
        elsif ($text =~ /\G'''\n?(.*?'{0,2})'''(?!')/gcs) { $value = $1 }
        elsif ($text =~ /\G"((?:[^\\"\n]|\\.)*)"/gc) { $value = unescape($1) }
        elsif ($text =~ /\G'([^'\n]*)'/gc) { $value = $1 }
        if (defined $value && $name =~ /^[A-Za-z_][A-Za-z0-9_]*$/ && $value !~ /\0/
            && $text =~ /\G[ \t]*(?:#[^\n]*)?(?=\n|\z)/gc) {
            push @pairs, "$name=$value";
            next;
        }
    }
    my ($line) = substr($text, pos $text) =~ /^([^\n]{0,80})/;
    print '=', (defined $value ? 'a name or value' : "at $line"), "\0";
    exit;
}
print "$_\0" for @pairs;
