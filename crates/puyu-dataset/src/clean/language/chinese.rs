//! Simplified or Traditional.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Frequent characters that the two scripts write differently, pairwise.
const SIMPLIFIED: &str = "们个这说来时国会学对开长问见东车马门风鸟鱼龙书乐习买卖飞写军农决准减几击则创别\
动务劳势华单卫厂厅历压县参双发变叶号听员响团园围图圆场坏块坚处备够头夺奋妇妈孙宁宝实审宪宽对导将尔尘尝层属岁岛币师带帮广庆库应庙废归录彻\
德总恶惊惯愿戏战户执扩扫扬护报担拟拥择换据损摇数断无旧显晓术机杀杂权条极构标树样桥检梦欢欧毁毕气汇汉沟没泽洁济浅测浓温湾满灭灯灵炉点炼热爱爷\
爸独狱现环电画畅疗盘监盖码矿确离种积称稳穷竞笔筑签简类粮紧纪红约级纳纯纸线练组细终经结给络绝统继绩续维综绿网罗罚职联肤胜脑脚舰艺节苏范茧\
荐药获营虽补装观规视览觉触计订认讨让训议记讲许论设访证评识诉词译试诗话该详语误请诸读课谁调谈谢负财责败货质贫购贵费资赛赞赵趋跃践转轮软轻较载辆输\
边达过运还进远连迟选递邮邻释铁银错锋长闭间闻阅阳阴阵阶际陆险随难雾静韩页项顺须预领题颜额馆验骂鲜黄齐";
const TRADITIONAL: &str = "們個這說來時國會學對開長問見東車馬門風鳥魚龍書樂習買賣飛寫軍農決準減幾擊則創別\
動務勞勢華單衛廠廳歷壓縣參雙發變葉號聽員響團園圍圖圓場壞塊堅處備夠頭奪奮婦媽孫寧寶實審憲寬對導將爾塵嘗層屬歲島幣師帶幫廣慶庫應廟廢歸錄徹\
德總惡驚慣願戲戰戶執擴掃揚護報擔擬擁擇換據損搖數斷無舊顯曉術機殺雜權條極構標樹樣橋檢夢歡歐毀畢氣匯漢溝沒澤潔濟淺測濃溫灣滿滅燈靈爐點煉熱愛爺\
爸獨獄現環電畫暢療盤監蓋碼礦確離種積稱穩窮競筆築簽簡類糧緊紀紅約級納純紙線練組細終經結給絡絕統繼績續維綜綠網羅罰職聯膚勝腦腳艦藝節蘇範繭\
薦藥獲營雖補裝觀規視覽覺觸計訂認討讓訓議記講許論設訪證評識訴詞譯試詩話該詳語誤請諸讀課誰調談謝負財責敗貨質貧購貴費資賽贊趙趨躍踐轉輪軟輕較載輛輸\
邊達過運還進遠連遲選遞郵鄰釋鐵銀錯鋒長閉間聞閱陽陰陣階際陸險隨難霧靜韓頁項順須預領題顏額館驗罵鮮黃齊";

/// True for a Simplified, false for a Traditional form; characters alike in both are absent.
static FORMS: LazyLock<HashMap<char, bool>> = LazyLock::new(|| {
    let pairs = SIMPLIFIED.chars().zip(TRADITIONAL.chars()).filter(|(s, t)| s != t);
    pairs.flat_map(|(s, t)| [(s, true), (t, false)]).collect()
});

/// `Hans`, `Hant`, or `Hani` where nothing tells.
pub(super) fn script(text: &str) -> &'static str {
    let (mut simplified, mut traditional) = (0_usize, 0_usize);
    for c in text.chars() {
        match FORMS.get(&c) {
            Some(true) => simplified += 1,
            Some(false) => traditional += 1,
            None => {}
        }
    }
    match simplified.cmp(&traditional) {
        std::cmp::Ordering::Greater => "Hans",
        std::cmp::Ordering::Less => "Hant",
        std::cmp::Ordering::Equal => "Hani",
    }
}

#[cfg(test)]
pub(super) fn pairs_fit() -> bool {
    SIMPLIFIED.chars().count() == TRADITIONAL.chars().count()
}
