//! The Chinese pages say what the English ones say: the same sections, commands and code; and one word for
//! each thing. So what the tests run in English holds in Chinese.

mod common;

use common::{read, PAGES, PROGRAMS, STEPS};
use std::collections::BTreeSet;
use std::fs::read_dir;

/// What the English page does not have: what a Chinese class meets, and the messages in Chinese.
const ONLY_CHINESE: [&str; 3] = ["## 中文课堂上的常见问题", "## 程序的消息", "### 没有压缩包时"];

/// The word that is used here, and others that a reader may have met for the same thing. Another one may stand in
/// brackets right behind the word: 临时端口（教材称短暂端口）.
const TERMS: &[(&str, &[&str])] = &[
    ("套接字", &["插座", "套接口", "插口"]),
    ("端点", &["终节点"]),
    ("四元组", &["四元组合", "四重组"]),
    ("临时端口", &["短暂端口", "动态端口"]),
    ("环回地址", &["回环", "本地回路"]),
    ("通配地址", &["任意地址", "万能地址"]),
    ("熟知端口", &["知名端口", "众所周知的端口", "公认端口"]),
    ("字节流", &["位流", "比特流", "字节串流"]),
    ("报文段", &["数据段", "TCP 段", "TCP 包"]),
    ("数据报", &["数据包", "UDP 包", "资料包"]),
    ("分组", &["封包", "包裹"]),
    ("报文边界", &["消息边界"]),
    ("分片", &["碎片", "分段"]),
    ("监听队列", &["侦听", "积压队列", "等待队列"]),
    ("半关闭", &["半闭合"]),
    ("已完成连接队列", &["全连接"]),
    ("请求", &["提问"]),
    ("通信", &["对话"]),
    ("步骤输出", &["跟踪记录", "轨迹"]),
    ("计时器", &["定时器"]),
    ("发送缓冲区", &["发送缓存"]),
    ("复位", &["重置"]),
    ("确认", &["应答包", "回执"]),
    ("面向连接", &["面对连接", "基于连接"]),
    ("无连接", &["非连接"]),
    ("可靠交付", &["可靠传递"]),
    ("超时", &["逾时", "时限"]),
    ("重传", &["重发送", "再传输"]),
    ("线程", &["执行绪"]),
    ("迭代服务器", &["循环服务器", "重复服务器"]),
    ("并发服务器", &["并行服务器"]),
    ("回显", &["回声", "回送", "回射"]),
    ("保活探测", &["存活探测", "保持活动", "保持存活"]),
    ("系统调用", &["系统呼叫"]),
    ("文件描述符", &["文件句柄", "文件描述字"]),
    ("对端", &["对等端", "对等方", "同伴"]),
    ("网络命名空间", &["网络名字空间", "网络名称空间"]),
    ("负载均衡器", &["负载平衡"]),
];

type Blocks = Vec<(String, String)>;
type Prose = Vec<(usize, String)>;

/// A page in parts: each block of code with its place, and the lines of prose, each with its number.
fn parts(page: &str) -> (Blocks, Prose) {
    let text = read(page);
    let (mut blocks, mut prose) = (Vec::new(), Vec::new());
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line.trim_start().starts_with("```") {
            let inside =
                lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```");
            let block = inside.fold(line.to_owned(), |block, line| block + "\n" + line);
            blocks.push((format!("{page}:{}", number + 1), block));
        } else {
            prose.push((number + 1, line.to_owned()));
        }
    }
    (blocks, prose)
}

/// The prose without what only the Chinese page has.
fn shared_prose(page: &str) -> Prose {
    let mut is_shared = true;
    let mut prose = parts(page).1;
    prose.retain(|(_, line)| {
        if line.starts_with("## ") || line.starts_with("### ") {
            is_shared = !ONLY_CHINESE.contains(&&line[..]);
        }
        is_shared
    });
    prose
}

#[test]
fn each_block_of_code_is_the_same_to_the_byte() {
    for (english, chinese) in PAGES {
        let (ours, theirs) = (parts(english).0, parts(chinese).0);
        for ((our_place, our), (their_place, their)) in ours.iter().zip(&theirs) {
            assert_eq!(our, their, "{our_place} and {their_place} differ");
        }
        assert_eq!(ours.len(), theirs.len(), "{english} and {chinese}: blocks");
    }
}

/// What must be as often in both, and begin the same way: headings, rows, pictures, questions, answers.
#[test]
fn the_parts_are_the_same_in_the_same_order() {
    // How a line begins, in English and in Chinese, and what it is.
    let kinds = [
        ("# ", "# "),
        ("## ", "## "),
        ("### ", "### "),
        ("| ", "| "),
        ("|---", "|---"),
        ("- ", "- "),
        ("> ", "> "),
        ("![", "!["),
        ("<!-- ", "<!-- "),
        ("<details><summary>Answers", "<details><summary>答案"),
        ("<details><summary>A hint", "<details><summary>提示"),
        ("<details><summary>A second hint", "<details><summary>第二个提示"),
        ("</details>", "</details>"),
        ("**Question.**", "**问题。**"),
        ("**Predict.**", "**预测。**"),
        ("**Do.**", "**动手。**"),
        ("**Explain.**", "**解释。**"),
        ("**Change it.**", "**改一改。**"),
        ("**Think.**", "**想一想。**"),
        ("**What to write.**", "**写什么。**"),
        ("**Why.**", "**为什么。**"),
        ("**To begin with.**", "**从这里开始。**"),
        ("**How to check.**", "**怎样检查。**"),
    ];
    for (english, chinese) in PAGES {
        let of = |prose: &[(usize, String)], is_english: bool| -> Vec<(usize, usize)> {
            let kind = |line: &str| {
                kinds.iter().position(|(ours, theirs)| {
                    line.starts_with(if is_english { ours } else { theirs })
                })
            };
            prose.iter().filter_map(|(number, line)| Some((kind(line)?, *number))).collect()
        };
        let (ours, theirs) = (of(&parts(english).1, true), of(&shared_prose(chinese), false));
        for ((our, our_line), (their, their_line)) in ours.iter().zip(&theirs) {
            assert_eq!(
                kinds[*our].0, kinds[*their].0,
                "{english}:{our_line} and {chinese}:{their_line}"
            );
        }
        assert_eq!(ours.len(), theirs.len(), "{english} and {chinese}");
        // The questions and answers (a), (b), ... of each page.
        for letter in 'a'..='e' {
            let count = |prose: Vec<(usize, String)>, mark: &str| {
                prose.iter().map(|(_, line)| line.matches(mark).count()).sum::<usize>()
            };
            let ours = count(parts(english).1, &format!("({letter})"));
            let theirs = count(shared_prose(chinese), &format!("（{letter}）"));
            assert_eq!(ours, theirs, "{english}, {chinese}: ({letter})");
        }
    }
}

/// The rows that other tests check in English: code, calls, packets, states, what is printed.
#[test]
fn the_tables_of_the_steps_are_the_same_to_the_byte() {
    let rows = |page: &str| -> Vec<String> {
        let text = read(page);
        let lines = text.lines().skip_while(|line| *line != "### TCP");
        let lines = lines.take_while(|line| !line.starts_with("## "));
        lines
            .filter(|line| line.starts_with("| ") && line.as_bytes()[2].is_ascii_digit())
            .map(str::to_owned)
            .collect()
    };
    let (ours, theirs) = (rows("README.md"), rows("README.zh-CN.md"));
    assert!(ours.len() > 40, "{ours:?}");
    for (our, their) in ours.iter().zip(&theirs) {
        assert_eq!(our, their);
    }
    assert_eq!(ours.len(), theirs.len());
}

#[test]
fn each_page_leads_to_the_other_in_its_first_line() {
    for (english, chinese) in PAGES {
        let name = |page: &'static str| page.rsplit('/').next().unwrap();
        assert!(read(english).starts_with(&format!("[中文]({})\n", name(chinese))), "{english}");
        assert!(read(chinese).starts_with(&format!("[English]({})\n", name(english))), "{chinese}");
    }
}

/// Prose without code, addresses of links and comments.
fn words(line: &str) -> String {
    if line.starts_with("<!--") || line.starts_with("> ") {
        return String::new();
    }
    let mut text = String::new();
    for (number, part) in line.split('`').enumerate() {
        text += if number % 2 == 0 { part } else { "`" };
    }
    let mut plain = String::new();
    for (number, part) in text.split("](").enumerate() {
        plain += if number == 0 { part } else { part.split_once(')').unwrap().1 };
    }
    plain
}

#[test]
fn each_thing_has_one_name() {
    let mut used = BTreeSet::new();
    for (_, page) in PAGES {
        for (number, line) in parts(page).1 {
            let line = words(&line);
            for (term, variants) in TERMS {
                if line.contains(term) {
                    used.insert(term);
                }
                let bracket = format!("{term}（");
                let mut parts = line.split(&bracket);
                let first = parts.next().unwrap().to_owned();
                let behind =
                    |part: &str| part.split_once('）').map_or("", |(_, rest)| rest).to_owned();
                let line = first + &parts.map(behind).collect::<Vec<_>>().concat();
                for variant in *variants {
                    assert!(!line.contains(variant), "{page}:{number}: {variant} is {term} here");
                }
            }
        }
    }
    let unused: Vec<_> = TERMS.iter().filter(|(term, _)| !used.contains(term)).collect();
    assert!(unused.is_empty(), "in no page: {unused:?}");
}

fn is_chinese(c: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&c)
}

/// Chinese punctuation beside Chinese; a space between Chinese and Latin words, numbers and code.
#[test]
fn punctuation_and_spaces_follow_one_rule() {
    // The document's own words.
    let own = ["创建Socket", "绑定Socket", "网络编程基础:Socket通信原理与实现"];
    for (_, page) in PAGES {
        for (number, line) in parts(page).1 {
            let line = own.iter().fold(words(&line), |line, word| line.replace(word, "套接字"));
            // Markdown wants a space behind what is bold, where that ends with punctuation.
            let line = line.replace("。** ", "。");
            let cells = line.split('|').map(str::trim).collect::<Vec<_>>().join("|");
            // What is stressed is bold: Chinese has no italics. Numbers stand as the screen writes them.
            let cells = cells.replace("**", "");
            assert!(!cells.contains('*'), "{page}:{number}: {cells}");
            let chars: Vec<char> = cells.chars().collect();
            for four in chars.windows(4) {
                let is_number = |c: &char| c.is_ascii_digit();
                let has_comma =
                    four[1] == ',' && is_number(&four[0]) && four[2..].iter().all(is_number);
                assert!(!has_comma, "{page}:{number}: {cells}");
            }
            for pair in chars.windows(2) {
                let place = || format!("{page}:{number}: {}{} in: {line}", pair[0], pair[1]);
                let [before, after] = [pair[0], pair[1]];
                let is_latin = |c: char| c.is_ascii_alphanumeric() || c == '`';
                assert!(!(is_chinese(before) && is_latin(after)), "{}", place());
                assert!(!(is_latin(before) && is_chinese(after)), "{}", place());
                assert!(!(is_chinese(before) && ",.:;!?()\"'".contains(after)), "{}", place());
                assert!(!("()\"'".contains(before) && is_chinese(after)), "{}", place());
                assert!(!("，。：；？！（）“”、".contains(before) && after == ' '), "{}", place());
                assert!(!(before == ' ' && "，。：；？！（）”、".contains(after)), "{}", place());
            }
        }
    }
}

/// The pieces of text, of two words or more, that a source has between quotation marks and braces; neither the usage
/// text nor what only tests say.
fn pieces(source: &str) -> Vec<String> {
    let text = source.split("#[cfg(test)]").next().unwrap().replace("\r\n", "\n");
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = code.collect::<Vec<_>>().join("\n").replace("\\\"", "").replace("'\"'", "");
    let strings = code.split('"').skip(1).step_by(2).filter(|string| !string.contains("Usage: "));
    let pieces = strings.flat_map(|string| string.split(['{', '}']).step_by(2));
    let pieces = pieces.map(|piece| piece.replace("\\n", ""));
    let pieces = pieces.map(|piece| piece.trim_matches(&[' ', ',', ':', '(', ')'][..]).to_owned());
    pieces.filter(|piece| piece.contains(' ') && !STEPS.contains(&&piece[..])).collect()
}

/// A message is often put together from pieces; so each piece must stand in a row, and each word of a row in a source.
#[test]
fn each_message_of_the_programs_stands_in_the_chinese_table_and_no_other() {
    let prose = parts("README.zh-CN.md").1;
    let below = prose.iter().skip_while(|(_, line)| line != ONLY_CHINESE[1]);
    let rows = below.filter_map(|(_, line)| line.strip_prefix("| `")?.split_once("` | "));
    let rows: Vec<_> = rows.collect();
    let (mut sources, mut all) = (String::new(), Vec::new());
    for folder in ["src", "src/bin"] {
        for entry in read_dir(format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"))).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            // A student may have written more programs.
            let is_source = |name: &str| folder == "src" || PROGRAMS.contains(&name);
            if name.strip_suffix(".rs").map_or(false, is_source) {
                let source = read(&format!("{folder}/{name}"));
                all.extend(pieces(&source));
                sources += &source;
            }
        }
    }
    assert!(all.len() > 80 && rows.len() > 90, "{} pieces, {} rows", all.len(), rows.len());
    for piece in all {
        assert!(rows.iter().any(|(message, _)| message.contains(&piece)), "in no row: {piece}");
    }
    let mut written = BTreeSet::new();
    for (message, chinese) in rows {
        assert!(chinese.chars().any(is_chinese), "{message}");
        assert!(written.insert(message), "twice: {message}");
        for word in message.split(|c: char| !c.is_ascii_alphabetic()) {
            assert!(sources.contains(word), "{message}: no program says {word}");
        }
    }
}

/// A picture in Chinese has the shapes of the English one, and says that it is Chinese: without that its
/// punctuation is drawn in the Japanese form.
#[test]
fn the_pictures_differ_in_their_words_alone() {
    for name in ["tcp", "udp", "states", "queue", "stream"] {
        let shapes = |file: String, language: &str| {
            let svg = read(&file);
            let language = format!(" xml:lang=\"{language}\"");
            assert!(svg.contains(&language), "{file}");
            let svg = svg.replace(&language, "");
            let sizes =
                svg.split("font-size=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
            assert!(
                sizes.map(|size| size.parse::<u32>().unwrap()).all(|size| size >= 14),
                "{file}"
            );
            // `<text …>words</text>`: all but the words.
            svg.split('<')
                .map(|part| part.split('>').next().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        let ours = shapes(format!("labs/{name}.svg"), "en");
        let theirs = shapes(format!("labs/{name}.zh-CN.svg"), "zh-CN");
        assert_eq!(ours, theirs, "{name}");
    }
}
